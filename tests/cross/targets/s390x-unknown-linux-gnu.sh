# Big-endian. Its programs run under qemu.
packages="gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user-static"
tools="s390x-linux-gnu-gcc qemu-s390x-static"
cc=s390x-linux-gnu-gcc
nm=s390x-linux-gnu-nm
runner="qemu-s390x-static -L /usr/s390x-linux-gnu"
# They print numbers as the bytes that they are in memory, or give the first bytes of one.
programs_not_here="msghdr_control options_socket options_ws"

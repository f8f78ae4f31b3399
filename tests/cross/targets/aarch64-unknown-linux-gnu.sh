# Its programs run under qemu.
packages="gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static"
tools="aarch64-linux-gnu-gcc qemu-aarch64-static"
cc=aarch64-linux-gnu-gcc
nm=aarch64-linux-gnu-nm
runner="qemu-aarch64-static -L /usr/aarch64-linux-gnu"

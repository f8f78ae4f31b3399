# 32 bits. Its programs run under qemu.
packages="gcc-arm-linux-gnueabihf libc6-dev-armhf-cross qemu-user-static"
tools="arm-linux-gnueabihf-gcc qemu-arm-static"
cc=arm-linux-gnueabihf-gcc
nm=arm-linux-gnueabihf-nm
bits=32
runner="qemu-arm-static -L /usr/arm-linux-gnueabihf"

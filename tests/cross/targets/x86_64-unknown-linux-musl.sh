# Its programs run as they are.
packages="musl-tools"
tools="musl-gcc"
cc=musl-gcc
# What unwinds is in the library: libgcc_s.so.1 is glibc's.
link_flags="$(rustc --print sysroot)/lib/rustlib/$target/lib/self-contained/libunwind.a -lc"
# rustc brings what a static program starts with.
linker=cc

# Its programs run as they are.
packages="musl-tools"
tools="musl-gcc"
cc=musl-gcc
# What unwinds is in the library: libgcc_s.so.1 is glibc's.
link_flags="$(rustc --print sysroot)/lib/rustlib/$target/lib/self-contained/libunwind.a -lc"
# rustc brings what a static program starts with.
linker=cc
# It fails there. Why is not known yet: musl reads numbers and names of hosts in another way than glibc.
programs_not_here=addr_tcp

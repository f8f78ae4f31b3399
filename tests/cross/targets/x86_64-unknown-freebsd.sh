# FreeBSD: compiled and linked; no test of it runs here. What it shares with other systems runs on Linux (make portable).
. "$here/zig.sh"
built_as=libnanomsg.so
private_libs="-lexecinfo -lkvm -lmemstat -lprocstat -lrt -ldevstat -lutil -lpthread -lm"

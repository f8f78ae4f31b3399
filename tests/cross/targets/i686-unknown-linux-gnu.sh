# 32 bits, which this machine runs itself. Not gcc-multilib, which cannot be installed beside compilers for other machines: it is
# this and a link in /usr/include, in whose place gcc-m32 stands.
packages="gcc-$(gcc -dumpversion)-multilib"
tools="gcc"
cc=$here/gcc-m32
bits=32
echo 'int main(void) { return 0; }' | "$cc" -x c -o /dev/null - 2>/dev/null || tools="gcc-multilib"

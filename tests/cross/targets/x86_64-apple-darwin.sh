arch=x86_64
. "$here/apple.sh"

arch=arm64
. "$here/apple.sh"

#!/usr/bin/env bash
# RPM packages of what `make build` has made:
#
#     packaging/rpm/build.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p "$1"
folder=$(realpath "$1")
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
# Debian's rpm knows no /sbin/ldconfig as a package, and sets times as it likes.
rpmbuild -bb --nodeps --define "_topdir $folder" --define "built $PWD" --define "_libdir /usr/lib64" \
    --define "_buildhost localhost" --define "use_source_date_epoch_as_buildtime 1" \
    --define "clamp_mtime_to_source_date_epoch 1" --define "_build_id_links none" packaging/rpm/libnanomsg-rs.spec

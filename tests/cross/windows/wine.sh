#!/bin/sh
# Runs a program of Windows' under Wine, in the place that NN_WINE names. --start makes that place.
export WINEPREFIX="${NN_WINE:?the folder of Wine}" WINEDEBUG=-all WINEARCH=win64
if [ "$1" = --start ]; then
    # No windows are shown, and nothing is downloaded.
    export WINEDLLOVERRIDES="mscoree,mshtml=" DISPLAY=
    timeout 120 wineboot -i >/dev/null 2>&1
    test -d "$WINEPREFIX/drive_c" || { echo "Wine has not started" >&2; exit 1; }
    exit 0
fi
exec wine "$@"

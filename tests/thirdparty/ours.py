"""Which libnanomsg this process has loaded."""

import os


def check() -> None:
    with open("/proc/self/maps") as maps:
        loaded = {line.split()[-1] for line in maps if "libnanomsg.so" in line}
    prefix = os.path.realpath(os.environ["NANOMSG_PREFIX"])
    assert loaded and all(path.startswith(prefix + "/") for path in loaded), loaded

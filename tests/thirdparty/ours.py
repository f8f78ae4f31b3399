"""Which libnanomsg this process has loaded, and what its options do that bindings of others set by number."""

import json
import os
import time


def check() -> None:
    with open("/proc/self/maps") as maps:
        loaded = {line.split()[-1] for line in maps if "libnanomsg.so" in line}
    prefix = os.path.realpath(os.environ["NANOMSG_PREFIX"])
    assert loaded and all(path.startswith(prefix + "/") for path in loaded), loaded


def event(message: bytes) -> dict:
    """What a monitor has published: the event's name, a space, and a JSON object."""
    name, _, text = message.partition(b" ")
    found = json.loads(text)
    assert found["event"] == name.decode(), message
    return found


def has_keepalive(local_port: int, remote_port: int) -> bool:
    """Whether the kernel has a keepalive timer on that TCP connection (proc_net_tcp in the kernel's documentation)."""
    deadline = time.monotonic() + 10
    while True:
        timer = _timer(local_port, remote_port)
        # 01: something is not acknowledged yet, which the file shows before any other timer.
        if timer != "01":
            return timer == "02"
        assert time.monotonic() < deadline, "nothing is acknowledged"
        time.sleep(0.01)


def _timer(*ports: int) -> str:
    with open("/proc/net/tcp") as connections:
        for line in list(connections)[1:]:
            local, remote, state, _, timer = line.split()[1:6]
            if state == "01" and ports == tuple(int(place.rpartition(":")[2], 16) for place in (local, remote)):
                return timer.partition(":")[0]
    raise AssertionError("there is no such connection")

"""Counts up the number in a file, from several threads, each of which holds a lock meanwhile.

usage: count.py ADDRESS FILE THREADS TIMES

All threads ask over one socket.
"""

import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from nanomsg_rs import NanomsgError, Requests

PATIENCE = 60_000  # ms


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    address, file = sys.argv[1:3]
    threads, times = map(int, sys.argv[3:])

    @contextmanager
    def locked(name):
        token = uuid.uuid4().hex
        requests.ask(f"acquire {name} {token}".encode(), timeout=PATIENCE)
        try:
            yield
        finally:
            requests.ask(f"release {name} {token}".encode(), timeout=PATIENCE)

    def count(_):
        for _ in range(times):
            with locked("number"):
                with open(file, "r+") as number:
                    value = int(number.read() or 0)
                    number.seek(0)
                    number.write(str(value + 1))

    # Sent again after a second: the lock server may have been started anew.
    with Requests(address, resend_interval=1000) as requests, ThreadPoolExecutor(threads) as pool:
        list(pool.map(count, range(threads)))


if __name__ == "__main__":
    try:
        main()
    except NanomsgError as failure:
        sys.exit(f"{sys.argv[1]}: {failure.strerror}")

"""A daemon with a control socket on the side, in Python. daemon.c is the same in C.

usage: daemon.py ADDRESS      (as in: daemon.py ipc:///tmp/daemon.control)

Its work is to count. While it works it can be asked for its status, told another speed, halted,
resumed and ended: python3 ask.py ipc:///tmp/daemon.control status
"""

import sys
import time

from nanomsg_rs import Socket, SocketType


class Daemon:
    def __init__(self) -> None:
        self.count, self.interval, self.working, self.ended = 0, 0.1, True, False

    def work(self) -> None:
        self.count += 1

    def obey(self, order: str) -> str:
        if order == "status":
            return f"count {self.count} interval {self.interval * 1000:.0f} working {self.working:d}"
        if order.startswith("interval "):
            number = order.split(" ", 1)[1]
            if not (number.isascii() and number.isdigit() and 1 <= int(number) <= 60000):
                return "error: an interval is a number of milliseconds, 1 to 60000"
            self.interval = int(number) / 1000
        elif order in ("halt", "resume"):
            self.working = order == "resume"
        elif order == "end":
            self.ended = True
        else:
            return "error: I know status, interval MILLISECONDS, halt, resume and end"
        return "ok"


def main(address: str) -> None:
    daemon, due = Daemon(), time.monotonic()
    with Socket(SocketType.REP) as control:
        control.bind(address)
        while not daemon.ended:
            if control.poll(timeout=max(0, int((due - time.monotonic()) * 1000))):
                control.send(daemon.obey(control.recv().decode(errors="replace")).encode())
            if time.monotonic() >= due:
                due = time.monotonic() + daemon.interval
                if daemon.working:
                    daemon.work()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

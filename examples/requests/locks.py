"""Gives out locks: a request for one is answered when it is free, and until then others are served.

usage: locks.py ADDRESS

    acquire NAME TOKEN    answered "yours" once nobody else has it
    release NAME TOKEN    answered "ok"
"""

import sys

from nanomsg_rs import NanomsgError, Replies


class Lock:
    def __init__(self):
        self.holder = None
        self.waiting = {}  # requests that are not answered yet, by token, the oldest first

    def acquire(self, token, request):
        # A request that comes again is one and the same: its token says so.
        self.waiting[token] = request
        if self.holder == token:
            self.waiting.pop(token).reply(b"yours")
        self.pass_on()

    def release(self, token):
        self.waiting.pop(token, None)
        if self.holder == token:
            self.holder = None
        self.pass_on()

    def pass_on(self):
        if self.holder is None and self.waiting:
            self.holder = next(iter(self.waiting))
            self.waiting.pop(self.holder).reply(b"yours")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        replies = Replies(sys.argv[1])
    except NanomsgError as failure:
        sys.exit(f"{sys.argv[1]}: {failure.strerror}")
    locks = {}
    with replies:
        for request in replies:
            words = request.body.split(b" ")
            if len(words) != 3 or words[0] not in (b"acquire", b"release"):
                request.reply(b"error: I know acquire NAME TOKEN and release NAME TOKEN")
                continue
            order, name, token = words
            lock = locks.setdefault(name, Lock())
            if order == b"acquire":
                lock.acquire(token, request)
            else:
                lock.release(token)
                request.reply(b"ok")
            if lock.holder is None:
                del locks[name]


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass

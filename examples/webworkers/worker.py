"""A worker, in Python: pulls requests, publishes answers. Start as many as you like.

usage: worker.py REQUESTS ANSWERS [MILLISECONDS]

It takes so many milliseconds over each request, as if it asked a database. worker.c is the same in C.
"""

import os
import sys
import time

from nanomsg_rs import Socket, SocketType, Statistic


def answer(request: bytes, served: int) -> bytes:
    """Change this to make the server do something else."""
    head, _, body = request.partition(b"\r\n\r\n")
    method, path = head.split()[:2]
    text = b"worker %d, its request number %d: %b %b\n%b" % (os.getpid(), served, method, path, body)
    shown = b"" if method == b"HEAD" else text
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(text), shown)


def main(requests: str, answers: str, milliseconds: str = "0") -> None:
    served = 0
    with Socket(SocketType.PULL) as pull, Socket(SocketType.PUB) as publish:
        # First the way out: a PUB without a subscriber drops what it is given.
        publish.connect(answers)
        while publish.statistic(Statistic.CURRENT_CONNECTIONS) == 0:
            time.sleep(0.01)
        pull.connect(requests)
        while True:
            first, _, request = pull.recv().partition(b"\n")
            if float(milliseconds):
                time.sleep(float(milliseconds) / 1000)
            served += 1
            publish.send(first + b"\n" + answer(request, served))


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass

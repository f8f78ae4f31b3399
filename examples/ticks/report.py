"""What the Python programs of the network share: counting, a line of figures once a second, certificates, and reports for
watchers."""

import contextlib
import os
import signal
import sys
import time

from nanomsg_rs import Socket
from nanomsg_rs import constants as nn
from nanomsg_rs.reporting import Reporter

ROOM = 4 << 20  # bytes for a burst on every edge; PUB drops what does not fit


def roomy(socket: Socket, name: str) -> Socket:
    socket.send_buffer = socket.recv_buffer = ROOM
    socket.name = name
    identify(socket, os.environ.get("TICKS_CA", ""), os.environ.get("TICKS_CERTIFICATE", ""))
    return socket


def identify(socket: Socket, ca: str, certificate: str) -> None:
    """Whom it trusts and who it is, where addresses are of TLS. Whoever connects has to show a certificate."""
    if ca and certificate:
        level = nn.SYMBOLS["NN_TLS"]
        socket.set_option(level, nn.SYMBOLS["NN_TLS_CA"], ca.encode())
        socket.set_option(level, nn.SYMBOLS["NN_TLS_CERT"], certificate.encode())
        socket.set_option(level, nn.SYMBOLS["NN_TLS_VERIFY"], 2)


def reported(*sockets: Socket) -> contextlib.AbstractContextManager:
    """Lets these sockets be watched, if the network is to be, for as long as the `with` block lasts."""
    addresses = os.environ.get("TICKS_MONITOR", "").split()
    return Reporter(sockets, *addresses) if addresses else contextlib.nullcontext()


class Losses:
    """Messages of a topic are numbered from 1: a gap is what was lost."""

    def __init__(self) -> None:
        self.last: dict[bytes, int] = {}
        self.seen = self.lost = 0

    def count(self, topic: bytes, n: int) -> None:
        before = self.last.get(topic, 0)
        if n > before + 1:
            self.lost += n - before - 1
        self.last[topic] = n  # a smaller number than before is a sender that has started anew
        self.seen += 1


class Report:
    """Prints figures as "word number word number" once a second."""

    def __init__(self) -> None:
        self.next = 0.0

    def when_due(self, **figures: int) -> None:
        now = time.monotonic()
        if now >= self.next:
            self.next = now + 1
            print(*(f"{word} {number}" for word, number in figures.items()), flush=True)


def end_on_sigterm() -> None:
    """Let SIGTERM leave `with` and `finally` blocks behind it in order."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())

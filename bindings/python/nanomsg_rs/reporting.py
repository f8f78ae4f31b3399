"""What sockets tell of themselves, for whoever watches the process from outside.

::

    with Reporter([jobs, results], "ipc:///run/worker.monitor", "ws://127.0.0.1:7001"):
        ...

Every address publishes the same messages: each event of the sockets as it happens, ``connected {...}``, and once a second
their statistics, ``statistics {...}``; docs/monitoring.schema.json describes both. ``examples/monitor`` shows them. Of
libnanomsg-rs alone; with another library it is NanomsgError with ENOPROTOOPT.
"""

from __future__ import annotations

import itertools
import math
import os
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Type

from .constants import DONTWAIT, POLLIN, SYMBOLS, SocketType, Statistic
from .errors import Again, BadSocket
from .options import NN_SOL_SOCKET
from .socket import BaseSocket, Socket, poll

if TYPE_CHECKING:
    from typing_extensions import Self

_STATISTICS = SYMBOLS.get("NN_STATISTICS", 1008)
_LINGER = 100  # ms that closing waits at most for watchers to take the last reports
_numbers = itertools.count()


class Reporter:
    """Publishes the events and the statistics of sockets, in a thread of its own, until ``close`` or the end of ``with``.

    ``addresses`` are where it listens, with the ports that the system has chosen. A socket's events go to one place: one that
    has NN_MONITOR set already loses that, unless ``events`` is False. Closed sockets are left out by themselves.
    """

    def __init__(
        self, sockets: Iterable[BaseSocket], *addresses: str, interval: float = 1.0, events: bool = True
    ) -> None:
        self._base = f"inproc://nanomsg_rs.reporter-{os.getpid()}-{next(_numbers)}"
        self._interval = interval
        self._wants_events = events
        self._lock = threading.Lock()
        self._watched: set[BaseSocket] = set()
        # What subscribes to the events of each; until its last one, which comes when it has been closed already.
        self._ears: list[Socket] = []
        self._ending = False
        self._out = Socket(SocketType.PUB)
        self._bell, self._ear = Socket(SocketType.PAIR), Socket(SocketType.PAIR)
        self._thread: threading.Thread | None = None
        try:
            self._out.name, self._out.linger = "reporter", _LINGER
            self._ear.bind(f"{self._base}-bell")
            self._bell.connect(f"{self._base}-bell")
            self.addresses = [self._out.bind(address).address for address in addresses]
            for socket in sockets:
                self.add(socket)
            self._thread = threading.Thread(target=self._run, name="nanomsg_rs.Reporter", daemon=True)
            self._thread.start()
        except BaseException:
            self._thread = None
            self.close()
            raise

    def add(self, socket: BaseSocket) -> None:
        """Report on one more socket."""
        if self._wants_events:
            address = f"{self._base}-{next(_numbers)}"
            ear = Socket(SocketType.SUB)
            try:
                ear.subscribe(b"")
                # Before there is anything to hear.
                ear.connect(address)
                socket.monitor = address
            except BaseException:
                ear.close()
                raise
            with self._lock:
                self._ears.append(ear)
        with self._lock:
            self._watched.add(socket)
        if self._thread is not None:
            self._bell.send(b"")

    def close(self) -> None:
        """Publish what has happened until now, and end. Twice is no error."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._ending = True
            self._bell.send(b"")
            thread.join()
        with self._lock:
            watched, ears = list(self._watched), list(self._ears)
            self._watched.clear()
            self._ears.clear()
        for socket in watched if self._wants_events else ():
            try:
                socket.monitor = ""
            except BadSocket:
                pass
        for own in (self._bell, self._ear, *ears, self._out):
            own.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: Type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        due = time.monotonic()
        try:
            while True:
                if time.monotonic() >= due:
                    due = time.monotonic() + self._interval
                    self._publish_statistics()
                patience = max(0, math.ceil((due - time.monotonic()) * 1000))
                with self._lock:
                    ears = list(self._ears)
                ready = [socket for socket, _ in poll([(ear, POLLIN) for ear in (*ears, self._ear)], patience)]
                for ear in ears:
                    self._publish_events(ear)
                if self._ear in ready:
                    self._ear.recv(DONTWAIT)
                    if self._ending:
                        self._publish_statistics()
                        return
        except BadSocket:
            pass  # term has closed everything

    def _publish_events(self, ear: Socket) -> None:
        try:
            while True:
                event = ear.recv(DONTWAIT)
                self._out.send(event)
                if event.startswith(b"monitor_stopped "):
                    break
        except Again:
            return
        with self._lock:
            self._ears.remove(ear)
        ear.close()

    def _publish_statistics(self) -> None:
        with self._lock:
            self._watched = {socket for socket in self._watched if socket.handle >= 0}
            watched = sorted(self._watched, key=lambda socket: socket.handle)
        if not self._out.statistic(Statistic.CURRENT_CONNECTIONS):
            return
        for socket in watched:
            try:
                self._out.send(b"statistics " + socket.get_text(NN_SOL_SOCKET, _STATISTICS))
            except BadSocket:
                pass  # it has just been closed

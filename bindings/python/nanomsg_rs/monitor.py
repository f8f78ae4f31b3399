"""What happens to a socket's endpoints and connections, as it happens (NN_MONITOR, nn_monitor(7)).

    with Monitor(socket) as monitor:
        for event in monitor:
            print(event.event, event.peer, event.reason)

The socket publishes its events and waits for nobody: where a watcher is too slow, events are missing, and so are their
numbers in ``seq``.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from types import TracebackType
from typing import TYPE_CHECKING, Any, Type

from .constants import SocketType, Statistic
from .errors import BadSocket, NanomsgError, Timeout
from .socket import BaseSocket, Socket

if TYPE_CHECKING:
    from typing_extensions import Self

LAST = "monitor_stopped"
_INPROC = "inproc://"
_ROOM = 1 << 20  # bytes of events that may wait to be read
PATIENCE = 1.0  # seconds for a subscription over a network to be there
_counter = itertools.count()


@dataclass(frozen=True)
class Event:
    """One event. What it does not have is None; docs/monitoring.schema.json tells what it all means."""

    #: What has happened: "connected", "disconnected", ...
    event: str
    #: Its number, one more with each event of the monitor.
    seq: int
    time_ns: int
    monotonic_ns: int
    #: The socket's name and type.
    socket: str
    type: str
    #: ``id``, ``address``, and ``kind``: "bind" or "connect".
    endpoint: dict[str, Any] | None = None
    #: ``pipe``, the connection's number, and what is known of the other end.
    peer: dict[str, Any] | None = None
    errno: int | None = None
    error: str | None = None
    retry_ms: int | None = None
    reason: str | None = None
    violation: str | None = None
    dropped: int | None = None
    #: All of it as it was published, with what a newer library may have added.
    members: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, message: bytes) -> Event:
        """The event in a message as it is published: its name, a space, and a JSON object."""
        members = json.loads(message[message.index(b" ") :])
        return cls(**{name: members[name] for name in _NAMES & members.keys()}, members=members)


_NAMES = {one.name for one in fields(Event)} - {"members"}


class Watching:
    """What both kinds of monitors have: a subscriber to the events of a socket."""

    def __init__(self, watched: BaseSocket, subscriber: BaseSocket, address: str | None) -> None:
        self._watched = watched
        self._subscriber = subscriber
        self._ended = False
        subscriber.subscribe(b"")
        subscriber.recv_buffer = _ROOM
        subscriber.recv_max_size = -1
        if address is None:
            address = f"{_INPROC}nanomsg_rs.Monitor-{os.getpid()}-{next(_counter)}"
        # Within the process it can be there before anything is published.
        early = address.startswith(_INPROC)
        try:
            if early:
                subscriber.connect(address)
            watched.monitor = address
            #: Where the events are published, for others to subscribe to as well.
            self.address = watched.monitor
            if not early:
                subscriber.connect(self.address)
        except BaseException:
            subscriber.close()
            raise

    def _subscribed(self) -> bool:
        return self._subscriber.statistic(Statistic.CURRENT_CONNECTIONS) > 0

    def _take(self, message: bytes) -> Event:
        event = Event.of(message)
        self._ended = event.event == LAST
        return event

    def _stop(self) -> None:
        try:
            if self._watched.monitor == self.address:
                self._watched.monitor = ""
        except NanomsgError as failure:
            # It has been closed, which ends its monitor.
            if failure.errno != errno.EBADF:
                raise


class Monitor(Watching):
    """Lets a socket publish its events, and receives them: from the first one on, and to the last if the socket is closed.

    They are published at an inproc address of the monitor's own, or at the given one, which then has to be one that can be
    connected to, and where others may subscribe too; ``address`` tells it, with the port that the system has chosen. A
    socket has one monitor: another one takes its place. Raises what ``Socket.bind`` raises.
    """

    def __init__(self, socket: BaseSocket, address: str | None = None) -> None:
        self._events = Socket(SocketType.SUB)
        super().__init__(socket, self._events, address)
        deadline = time.monotonic() + PATIENCE
        while not self._subscribed() and time.monotonic() < deadline:
            time.sleep(0.001)

    def recv(self, timeout: int = -1) -> Event:
        """The next event. Raises Timeout if there is none within so many ms."""
        self._events.recv_timeout = timeout
        return self._take(self._events.recv())

    def events(self, timeout: int = -1) -> Iterator[Event]:
        """The events that come, until there was none for so many ms; the last one of all is "monitor_stopped"."""
        while not self._ended:
            try:
                event = self.recv(timeout)
            except (Timeout, BadSocket):
                return
            yield event

    def __iter__(self) -> Iterator[Event]:
        return self.events()

    def close(self) -> None:
        """Ends the publishing. Twice is no error."""
        self._stop()
        self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: Type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

"""Several requests at once over one socket, and several that are answered in any order.

A REQ socket has one request under way, and a REP socket answers the one that it received last. These
classes have as many as there are threads, over raw sockets::

    with Requests("tcp://127.0.0.1:5555") as requests:
        answer = requests.ask(b"question", timeout=1000)  # from any thread

    with Replies("tcp://127.0.0.1:5555") as replies:
        for request in replies:
            pool.submit(lambda request=request: request.reply(work(request.body)))

Their peers are cooked or raw REP and REQ sockets of any libnanomsg, also behind devices. The twins
for coroutines are in ``nanomsg_rs.asyncio``.
"""

from __future__ import annotations

import errno
import math
import random
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Type, TypeVar

from .constants import AF_SP_RAW, DONTWAIT, EFSM, POLLIN, POLLOUT, SocketType
from .errors import Again, BadSocket, error
from .messages import Message
from .socket import BaseSocket, Socket, poll

if TYPE_CHECKING:
    from typing_extensions import Buffer, Self

#: ms after which a request without a reply is sent again, as NN_REQ_RESEND_IVL of a REQ socket.
RESEND_INTERVAL = 60_000
# Seconds after which a request is tried once more that no peer could take when it was to be sent again.
RETRY_INTERVAL = 0.1
_ID = struct.Struct("!I")
_LAST_WORD = 0x8000_0000
_Who = TypeVar("_Who")
_Socket = TypeVar("_Socket", bound=BaseSocket)


class Outstanding(Generic[_Who]):
    """Who waits for which reply, by request id."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, _Who] = {}
        # Another program's late replies, to the address that this one has now, are not for these ids.
        self._next = random.SystemRandom().getrandbits(31)

    def add(self, waiting: _Who) -> bytes:
        """The header of a new request, which no other one has that is under way."""
        while True:
            header = _ID.pack(_LAST_WORD | self._next)
            self._next = (self._next + 1) % _LAST_WORD
            if header not in self._waiting:
                self._waiting[header] = waiting
                return header

    def take(self, header: bytes) -> _Who | None:
        """Who waits for this reply, and waits no more; None for a late, second or unasked one."""
        return self._waiting.pop(header, None)

    def all(self) -> list[_Who]:
        return list(self._waiting.values())

    def __len__(self) -> int:
        return len(self._waiting)


def interval(ms: int) -> float:
    """A resend interval in seconds; EINVAL for 0, infinite if negative."""
    if ms == 0:
        raise error(errno.EINVAL)
    return math.inf if ms < 0 else ms / 1000


class Owner(Generic[_Socket]):
    """What has a raw socket and closes it."""

    #: The raw socket: for its options, endpoints and statistics, and not for sending or receiving.
    socket: _Socket

    def _open(
        self, of: type[_Socket], kind: SocketType, where: _Socket | str | Iterable[str]
    ) -> None:
        if isinstance(where, BaseSocket):
            if not isinstance(where, of) or where.type != kind or where.domain != AF_SP_RAW:
                raise error(errno.EINVAL)
            self.socket = where
            return
        self.socket = of(kind, AF_SP_RAW)
        try:
            for address in [where] if isinstance(where, str) else where:
                (self.socket.bind if kind == SocketType.REP else self.socket.connect)(address)
        except BaseException:
            self.socket.close()
            raise

    def close(self) -> None:
        """Close the socket; calls under way raise BadSocket. Twice is no error."""
        self.socket.close()


class _Waiting(Owner[Socket]):
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: Type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Asked:
    """A request under way, and the thread that asked it."""

    def __init__(self, lock: threading.Lock) -> None:
        self.reply: bytes | None = None
        self.changed = threading.Condition(lock)


class Requests(_Waiting):
    """Asks any number of requests at once over one socket; ``ask`` may be called from any thread.

    It is made of an address or several, to which it connects, or of a raw REQ socket, which it
    closes with itself. ``resend_interval`` is the ms (at least 1, negative for never) after which
    a request without a reply is sent again, possibly to another peer: it should do no harm to
    answer one twice. That a peer has gone is not noticed otherwise: what it had been asked is sent
    again after that time and not before. Raises NanomsgError with EINVAL for another socket or
    for 0, and what ``connect`` raises.
    """

    def __init__(
        self, where: Socket | str | Iterable[str], *, resend_interval: int = RESEND_INTERVAL
    ) -> None:
        self._resend_interval = interval(resend_interval)
        self._lock = threading.Lock()
        self._outstanding: Outstanding[_Asked] = Outstanding()
        # One of the threads that wait reads for all. The others sleep, and one of them follows it.
        self._reading = False
        self._asleep: dict[_Asked, None] = {}
        self._open(Socket, SocketType.REQ, where)

    def ask(self, data: Buffer, timeout: int | None = None) -> bytes:
        """Send one request and return the reply to it.

        Waits at most ``timeout`` ms, for ever if it is negative, and as ``recv_timeout`` of the
        socket says if it is None. It waits for a peer to send to as well. Raises Timeout or
        BadSocket.
        """
        data = bytes(memoryview(data))
        limit = self.socket.recv_timeout if timeout is None else timeout
        deadline = math.inf if limit < 0 else time.monotonic() + limit / 1000
        asked = _Asked(self._lock)
        with self._lock:
            header = self._outstanding.add(asked)
        reads = False
        try:
            while not self._sent(data, header):
                self._wait(POLLOUT, deadline)
            again = time.monotonic() + self._resend_interval
            while True:
                until = min(deadline, again)
                with self._lock:
                    while self._reading and not reads and asked.reply is None and time.monotonic() < until:
                        self._sleep(asked, until)
                    if asked.reply is None:
                        reads = reads or not self._reading
                        self._reading = True
                if reads:
                    self._read_for(asked, until)
                if asked.reply is not None:
                    return asked.reply
                now = time.monotonic()
                if now >= deadline:
                    raise error(errno.ETIMEDOUT)
                if now >= again:
                    sent = self._sent(data, header)
                    again = now + (self._resend_interval if sent else RETRY_INTERVAL)
        finally:
            with self._lock:
                self._outstanding.take(header)
                if reads:
                    self._reading = False
                if not self._reading:
                    for follower in self._asleep:
                        follower.changed.notify()
                        break

    def _sent(self, data: bytes, header: bytes) -> bool:
        try:
            self.socket.send(Message(data, header=header), DONTWAIT)
        except Again:
            return False
        return True

    def _wait(self, event: int, deadline: float) -> None:
        """Wait until the socket is ready for it; Timeout at the deadline."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise error(errno.ETIMEDOUT)
        poll([(self.socket, event)], -1 if left == math.inf else min(math.ceil(left * 1000), 2**31 - 1))

    def _sleep(self, asked: _Asked, until: float) -> None:
        self._asleep[asked] = None
        try:
            left = until - time.monotonic()
            asked.changed.wait(None if left == math.inf else min(max(left, 0), threading.TIMEOUT_MAX))
        finally:
            del self._asleep[asked]

    def _read_for(self, asked: _Asked, until: float) -> None:
        """Hand out replies until that one is there or the time has come."""
        while asked.reply is None and time.monotonic() < until:
            try:
                message = self.socket.recv_message(DONTWAIT)
            except Again:
                try:
                    self._wait(POLLIN, until)
                except TimeoutError:
                    return
                continue
            with self._lock:
                whose = self._outstanding.take(message.header)
                if whose is not None:
                    whose.reply = bytes(message)
                    whose.changed.notify()


class Request:
    """A request that was received, to be answered from any thread, or not at all."""

    #: Its bytes.
    body: bytes
    #: The way back (the backtrace): the connection that it came by, the hops before it, its id.
    header: bytes

    def __init__(self, socket: Socket, message: Message) -> None:
        self._socket = socket
        self._answered = False
        self.body = bytes(message)
        self.header = message.header

    def reply(self, data: Buffer) -> None:
        """Send the reply, without waiting: it is dropped if who asked has gone, or takes no more.

        How much can be on its way to one peer is what ``send_buffer`` of the socket says, over inproc
        ``recv_buffer`` of the peer's. A reply that was dropped comes when the request is sent again.

        Raises WrongState the second time, and BadSocket.
        """
        if self._answered:
            raise error(EFSM)
        self._socket.send(Message(memoryview(data), header=self.header))
        self._answered = True


class Replies(_Waiting):
    """Receives requests, any number before the first is answered; its methods may be called from any thread.

    It is made of an address or several, to which it binds, or of a raw REP socket, which it closes
    with itself. Raises NanomsgError with EINVAL for another socket, and what ``bind`` raises.
    Iterating over it gives the requests that come, until it is closed.
    """

    def __init__(self, where: Socket | str | Iterable[str]) -> None:
        self._open(Socket, SocketType.REP, where)

    def recv(self, flags: int = 0) -> Request:
        """Receive one request. Raises Timeout after ``recv_timeout`` ms of the socket, Again instead
        of waiting with ``DONTWAIT``, or BadSocket."""
        return Request(self.socket, self.socket.recv_message(flags))

    def __iter__(self) -> Iterator[Request]:
        while True:
            try:
                yield self.recv()
            except BadSocket:
                return

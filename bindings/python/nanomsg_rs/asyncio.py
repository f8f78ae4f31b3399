"""Sockets for coroutines, on the event descriptors: nothing here waits outside of the event loop.

    from nanomsg_rs.asyncio import Socket

    async with Socket(SocketType.REP) as socket:
        socket.bind("tcp://127.0.0.1:5555")
        await socket.send(await socket.recv())

Any number of coroutines may wait on a socket, all of them in one event loop. A coroutine that is
cancelled while it waits has taken no message. The loop has to have ``add_reader``: on Windows
that is SelectorEventLoop.

Requests and Replies are those of ``nanomsg_rs.requests`` for coroutines: any number of requests at
once over one socket, and any number received before the first is answered.
"""

from __future__ import annotations

import asyncio
import errno
import math
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Callable, TypeVar

from .constants import DONTWAIT, EFSM, SYMBOLS, SocketType
from .errors import Again, BadSocket, NanomsgError, Timeout, error
from .messages import Message
from .monitor import PATIENCE, Event, Watching
from .options import NN_SOL_SOCKET
from .requests import RESEND_INTERVAL, RETRY_INTERVAL, Outstanding, Owner, interval
from .socket import BaseSocket
from .socket import Socket as _Waiting

if TYPE_CHECKING:
    from typing_extensions import Buffer, Self

_T = TypeVar("_T")
# Of libnanomsg-rs alone.
_DIRECT_FD = SYMBOLS.get("NN_DIRECT_FD", 1001)


class _Queue:
    """Coroutines that wait for one event descriptor, the first one first."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._watch: tuple[asyncio.AbstractEventLoop, int] | None = None

    async def ready(self, descriptor: int, timeout: float | None) -> None:
        """Wait until the descriptor is readable, at most so many seconds."""
        loop = asyncio.get_running_loop()
        if self._watch is None:
            loop.add_reader(descriptor, self._wake)
            self._watch = (loop, descriptor)
        future = loop.create_future()
        self._waiting.append(future)
        timer = None
        if timeout is not None:
            timer = loop.call_later(timeout, _done, future)
        try:
            await future
        finally:
            if timer is not None:
                timer.cancel()
            if future in self._waiting:
                self._waiting.remove(future)
            if not self._waiting:
                self._unwatch()

    def _wake(self) -> None:
        # The others' turn comes when the loop looks again and the descriptor still shows it.
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
                return

    def end(self) -> None:
        """The socket is closing."""
        self._unwatch()
        for future in self._waiting:
            if not future.done():
                future.get_loop().call_soon_threadsafe(_done, future)

    def _unwatch(self) -> None:
        if self._watch is not None:
            loop, descriptor = self._watch
            self._watch = None
            if not loop.is_closed():
                loop.remove_reader(descriptor)


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Socket(BaseSocket):
    """One end of a pattern, for coroutines: ``send`` and ``recv`` are awaited."""

    def __init__(self, type: int, domain: int | None = None) -> None:
        if domain is None:
            super().__init__(type)
        else:
            super().__init__(type, domain)
        self._receivers = _Queue()
        self._senders = _Queue()
        try:
            # The event loop reads the connections itself: no second thread is woken for each message.
            self.set_option(NN_SOL_SOCKET, _DIRECT_FD, 1)
        except NanomsgError:
            pass  # Another library: its descriptors are as they are.

    async def send(self, data: Buffer | Message) -> None:
        """Send one message: whatever holds bytes, or a ``Message``, which goes without a copy.

        The bytes must stay as they are until it is sent. Raises Timeout after ``send_timeout`` ms,
        NotSupported, WrongState or BadSocket.
        """
        await self._repeat(
            lambda: _Waiting.send(self, data, DONTWAIT),  # type: ignore[arg-type]
            self._senders,
            lambda: self.send_fd,
            lambda: self.send_timeout,
        )

    async def recv(self) -> bytes:
        """Receive one message, whatever its size.

        Raises Timeout after ``recv_timeout`` ms, NotSupported, WrongState or BadSocket.
        """
        return await self._repeat(
            lambda: _Waiting.recv(self, DONTWAIT),  # type: ignore[arg-type]
            self._receivers,
            lambda: self.recv_fd,
            lambda: self.recv_timeout,
        )

    async def recv_message(self) -> Message:
        """Receive one message as the library holds it: with its header, and without a copy."""
        return await self._repeat(
            lambda: _Waiting.recv_message(self, DONTWAIT),  # type: ignore[arg-type]
            self._receivers,
            lambda: self.recv_fd,
            lambda: self.recv_timeout,
        )

    def close(self) -> None:
        """Close the socket; coroutines that wait on it raise BadSocket. Twice is no error.

        It may take as long as ``linger`` says; ``await aclose()`` lets the event loop run.
        """
        self._end_waiting()
        super().close()

    async def aclose(self) -> None:
        """Close the socket in a thread, so that the event loop runs on while messages go out."""
        self._end_waiting()
        await asyncio.get_running_loop().run_in_executor(None, super().close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _end_waiting(self) -> None:
        if hasattr(self, "_senders"):
            self._receivers.end()
            self._senders.end()

    async def _repeat(
        self,
        attempt: Callable[[], _T],
        queue: _Queue,
        descriptor: Callable[[], int],
        timeout: Callable[[], int],
    ) -> _T:
        try:
            return attempt()
        except Again:
            limit = timeout()
        loop = asyncio.get_running_loop()
        deadline = math.inf if limit < 0 else loop.time() + limit / 1000
        while True:
            left = None if deadline == math.inf else max(0.0, deadline - loop.time())
            await queue.ready(descriptor(), left)
            try:
                return attempt()
            except Again:
                if loop.time() >= deadline:
                    raise error(errno.ETIMEDOUT) from None


class Monitor(Watching):
    """What ``nanomsg_rs.Monitor`` is, for coroutines; the socket that it watches may be of either kind.

        async with Monitor(socket) as monitor:
            async for event in monitor:
                print(event.event, event.peer)
    """

    def __init__(self, socket: BaseSocket, address: str | None = None) -> None:
        self._events = Socket(SocketType.SUB)
        super().__init__(socket, self._events, address)

    async def recv(self, timeout: int = -1) -> Event:
        """The next event. Raises Timeout if there is none within so many ms."""
        self._events.recv_timeout = timeout
        return self._take(await self._events.recv())

    async def events(self, timeout: int = -1) -> AsyncIterator[Event]:
        """The events that come, until there was none for so many ms; the last one of all is "monitor_stopped"."""
        while not self._ended:
            try:
                event = await self.recv(timeout)
            except (Timeout, BadSocket):
                return
            yield event

    def __aiter__(self) -> AsyncIterator[Event]:
        return self.events()

    async def aclose(self) -> None:
        """Ends the publishing. Twice is no error."""
        self._stop()
        await self._events.aclose()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        while not self._subscribed() and loop.time() < deadline:
            await asyncio.sleep(0.001)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class _Owner(Owner[Socket]):
    async def aclose(self) -> None:
        """Close the socket, as ``Socket.aclose`` does; coroutines that wait raise BadSocket."""
        await self.socket.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Requests(_Owner):
    """Asks any number of requests at once over one socket, for the coroutines of one event loop.

    Made, and closed, as ``nanomsg_rs.Requests`` is; the socket is one of this module.
    """

    def __init__(
        self, where: Socket | str | Iterable[str], *, resend_interval: int = RESEND_INTERVAL
    ) -> None:
        self._resend_interval = interval(resend_interval)
        self._outstanding: Outstanding[asyncio.Future[bytes | int]] = Outstanding()
        # Runs while there are requests under way.
        self._reader: asyncio.Task[None] | None = None
        self._open(Socket, SocketType.REQ, where)

    async def ask(self, data: Buffer, timeout: int | None = None) -> bytes:
        """Send one request and return the reply to it.

        Waits at most ``timeout`` ms, for ever if it is negative, and as ``recv_timeout`` of the
        socket says if it is None. It waits for a peer to send to as well. Raises Timeout or
        BadSocket. A coroutine that is cancelled forgets its request: the reply will be dropped.
        """
        data = bytes(memoryview(data))
        loop = asyncio.get_running_loop()
        limit = self.socket.recv_timeout if timeout is None else timeout
        deadline = math.inf if limit < 0 else loop.time() + limit / 1000
        # The reply, or an errno.
        answer: asyncio.Future[bytes | int] = loop.create_future()
        header = self._outstanding.add(answer)
        timers: dict[str, asyncio.TimerHandle] = {}

        def resend_in(seconds: float) -> None:
            if seconds != math.inf:
                timers["resend"] = loop.call_later(seconds, resend)

        def resend() -> None:
            try:
                self._send(data, header)
            except Again:
                resend_in(RETRY_INTERVAL)
            except NanomsgError as failure:
                _settle(answer, failure.errno or errno.EBADF)
            else:
                resend_in(self._resend_interval)

        try:
            await self.socket._repeat(
                lambda: self._send(data, header),
                self.socket._senders,
                lambda: self.socket.send_fd,
                lambda: limit,
            )
            resend_in(self._resend_interval)
            if deadline != math.inf:
                timers["end"] = loop.call_at(deadline, _settle, answer, errno.ETIMEDOUT)
            if self._reader is None:
                self._reader = loop.create_task(self._read())
            reply = await answer
        finally:
            for timer in timers.values():
                timer.cancel()
            self._outstanding.take(header)
            if not self._outstanding and self._reader is not None:
                self._reader.cancel()
                self._reader = None
        if isinstance(reply, int):
            raise error(reply)
        return reply

    def _send(self, data: bytes, header: bytes) -> None:
        _Waiting.send(self.socket, Message(data, header=header), DONTWAIT)  # type: ignore[arg-type]

    async def _read(self) -> None:
        """Hand out replies, until it is cancelled or the socket is closed."""
        try:
            while True:
                # Not for ever at once: whoever floods the socket must not keep the event loop.
                for _ in range(_AT_ONCE):
                    try:
                        message = _Waiting.recv_message(self.socket, DONTWAIT)  # type: ignore[arg-type]
                    except Again:
                        await self.socket._receivers.ready(self.socket.recv_fd, None)
                        continue
                    answer = self._outstanding.take(message.header)
                    if answer is not None:
                        _settle(answer, bytes(message))
                await asyncio.sleep(0)
        except NanomsgError as failure:
            self._reader = None
            for answer in self._outstanding.all():
                _settle(answer, failure.errno or errno.EBADF)


# Replies that are handed out before other coroutines run.
_AT_ONCE = 64


def _settle(answer: asyncio.Future[bytes | int], result: bytes | int) -> None:
    if not answer.done():
        answer.set_result(result)


class Request:
    """A request that was received, to be answered whenever it is, or not at all."""

    #: Its bytes.
    body: bytes
    #: The way back (the backtrace): the connection that it came by, the hops before it, its id.
    header: bytes

    def __init__(self, socket: Socket, message: Message) -> None:
        self._socket = socket
        self._answered = False
        self.body = bytes(message)
        self.header = message.header

    async def reply(self, data: Buffer) -> None:
        """Send the reply; it is dropped if who asked has gone, or takes no more.

        Raises WrongState the second time, and BadSocket.
        """
        if self._answered:
            raise error(EFSM)
        self._answered = True
        await self._socket.send(Message(memoryview(data), header=self.header))


class Replies(_Owner):
    """Receives requests, any number before the first is answered, for the coroutines of one event loop.

    Made, and closed, as ``nanomsg_rs.Replies`` is; the socket is one of this module. ``async for``
    gives the requests that come, until it is closed.
    """

    def __init__(self, where: Socket | str | Iterable[str]) -> None:
        self._open(Socket, SocketType.REP, where)

    async def recv(self) -> Request:
        """Receive one request. Raises Timeout after ``recv_timeout`` ms of the socket, or BadSocket."""
        return Request(self.socket, await self.socket.recv_message())

    async def __aiter__(self) -> AsyncIterator[Request]:
        while True:
            try:
                yield await self.recv()
            except BadSocket:
                return

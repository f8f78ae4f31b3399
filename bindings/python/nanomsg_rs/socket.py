"""Sockets and what is done with them.

Times are integers in milliseconds and a negative time means for ever, as in C. Every call may
be made from any thread; the library holds the locks, and the interpreter runs on meanwhile.
A call interrupted by a signal runs Python's handlers and then goes on for the time that is
left, unless a handler raised (PEP 475).
"""

from __future__ import annotations

import ctypes
import errno
import json
import math
import os
import time
import warnings
from collections.abc import Iterable
from ctypes import byref, c_int, c_size_t, c_void_p
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Type, TypeVar, overload

from .buffers import lent
from .constants import (
    AF_SP,
    DONTWAIT,
    POLLIN,
    POLLOUT,
    SYMBOLS,
    SocketType,
    Statistic,
    symbol,
)
from .errors import Again, BadSocket, Interrupted, NanomsgError, checked, error
from .library import (
    NN_MSG,
    PollFd,
    nn_bind,
    nn_close,
    nn_connect,
    nn_device,
    nn_freemsg,
    nn_get_statistic,
    nn_getsockopt,
    nn_poll,
    nn_recv,
    nn_recvmsg,
    nn_send,
    nn_sendmsg,
    nn_setsockopt,
    nn_shutdown,
    nn_socket,
    nn_term,
)
from .messages import Message, Receiving, Sending
from .options import NN_SOL_SOCKET, BoolOption, IntOption, ReadOnlyIntOption, TextOption

if TYPE_CHECKING:
    from typing_extensions import Buffer, Self

_RCVTIMEO = symbol("NN_RCVTIMEO")
_SNDTIMEO = symbol("NN_SNDTIMEO")
_SOCKET_NAME = symbol("NN_SOCKET_NAME")
_SUBSCRIBE = symbol("NN_SUB_SUBSCRIBE")
_UNSUBSCRIBE = symbol("NN_SUB_UNSUBSCRIBE")
# Of libnanomsg-rs alone; with another library they are ENOPROTOOPT. The first is the same number for both types.
_FORWARD = SYMBOLS.get("NN_SUB_FORWARD", 1001)
_MONITOR = SYMBOLS.get("NN_MONITOR", 1007)
_STATISTICS = SYMBOLS.get("NN_STATISTICS", 1008)
_ENDPOINT = SYMBOLS.get("NN_ENDPOINT")
_TLS = SYMBOLS.get("NN_TLS", -1002)
_NAME_MAX = 64
_ADDRESS_MAX = 256
_CLOSED = -1
_Polled = TypeVar("_Polled", bound="BaseSocket")


class BaseSocket:
    """What both kinds of sockets have: this module's, and those of ``nanomsg_rs.asyncio``.

    A socket is open until ``close`` or the end of ``with``. Opening one raises Terminated after ``term``, and NanomsgError with EINVAL for a type the library does
    not know, EAFNOSUPPORT for a domain it does not know, EMFILE when there are too many sockets.
    """

    linger = IntOption("NN_LINGER", "ms that closing may spend on delivering what was sent.")
    send_buffer = IntOption("NN_SNDBUF", "Bytes of a connection's send buffer. EINVAL below 1.")
    recv_buffer = IntOption("NN_RCVBUF", "Bytes of a connection's receive buffer. EINVAL below 1.")
    recv_max_size = IntOption(
        "NN_RCVMAXSIZE", "Bytes of the largest message accepted; -1 for no limit, EINVAL below."
    )
    send_timeout = IntOption("NN_SNDTIMEO", "ms after which ``send`` raises Timeout.")
    recv_timeout = IntOption("NN_RCVTIMEO", "ms after which ``recv`` raises Timeout.")
    reconnect_interval = IntOption(
        "NN_RECONNECT_IVL", "ms before a lost connection is tried again. EINVAL below 0."
    )
    reconnect_interval_max = IntOption(
        "NN_RECONNECT_IVL_MAX",
        "ms up to which that time doubles; 0 keeps it as it is. EINVAL below 0.",
    )
    send_priority = IntOption(
        "NN_SNDPRIO", "1 (first) to 16, for endpoints added from now on. EINVAL outside."
    )
    recv_priority = IntOption(
        "NN_RCVPRIO", "1 (first) to 16, for endpoints added from now on. EINVAL outside."
    )
    conflate = BoolOption(
        "NN_CONFLATE",
        "SUB, PULL, PAIR: whether an unread message is replaced by the next one, so that the newest is received.",
        NN_SOL_SOCKET,
        1003,
    )
    conflate_prefix = IntOption(
        "NN_CONFLATE_PREFIX",
        "With ``conflate``: first bytes that have to be the same, the newest of each topic; 0 for the newest of all.",
        NN_SOL_SOCKET,
        1004,
    )
    overflow = IntOption(
        "NN_OVERFLOW",
        "PUB, BUS, SURVEYOR: what becomes of messages for peers that are too slow (see ``Overflow``).",
        NN_SOL_SOCKET,
        1005,
    )
    shared_memory = IntOption(
        "NN_SHARED_MEMORY",
        "Whether large messages go by reference on new ipc connections: 0 no, 1 to processes of the same user, 2 to all.",
        NN_SOL_SOCKET,
        1009,
    )
    shared_memory_min = IntOption(
        "NN_SHARED_MEMORY_MIN",
        "Bytes from which messages go that way.",
        NN_SOL_SOCKET,
        1010,
    )
    recv_peer = BoolOption(
        "NN_RECV_PEER",
        "Whether messages of ``recv_message`` tell in ``peer`` whom they came from.",
        NN_SOL_SOCKET,
        1006,
    )
    max_ttl = IntOption("NN_MAXTTL", "Hops a request or survey may have made, 1 to 255.")
    send_fd = ReadOnlyIntOption(
        "NN_SNDFD", "OS descriptor, *readable* while ``send`` would not block. For polling only."
    )
    recv_fd = ReadOnlyIntOption(
        "NN_RCVFD", "OS descriptor, readable while ``recv`` would not block. For polling only."
    )

    ipv4_only = BoolOption(
        "NN_IPV4ONLY", "Whether endpoints added from now on leave IPv6 aside, as by default."
    )
    tcp_nodelay = BoolOption(
        "NN_TCP_NODELAY",
        "Whether new TCP connections send small messages at once.",
        symbol("NN_TCP"),
    )
    connect_timeout = IntOption(
        "NN_CONNECT_TIMEOUT",
        "ms after which a connect that nobody answers has failed; 0 for when the kernel gives up.",
        NN_SOL_SOCKET,
        1002,
    )
    tcp_keepalive_idle = IntOption(
        "NN_TCP_KEEPALIVE_IDLE",
        "ms of silence after which the kernel asks peers of new connections whether they are there; 0 for never.",
        symbol("NN_TCP"),
        1001,
    )
    tcp_keepalive_interval = IntOption(
        "NN_TCP_KEEPALIVE_INTERVAL", "ms between such questions; 0 for the kernel's default.", symbol("NN_TCP"), 1002
    )
    tcp_keepalive_count = IntOption(
        "NN_TCP_KEEPALIVE_COUNT",
        "Questions without an answer that end a connection; 0 for the kernel's default.",
        symbol("NN_TCP"),
        1003,
    )
    tcp_user_timeout = IntOption(
        "NN_TCP_USER_TIMEOUT",
        "ms for which peers may leave what was sent unacknowledged; 0 for the kernel's default.",
        symbol("NN_TCP"),
        1004,
    )
    ipc_mode = IntOption(
        "NN_IPC_MODE",
        "Permission bits of the files of sockets bound from now on; -1 for what the umask says.",
        symbol("NN_IPC"),
        1001,
    )
    ws_ping = IntOption(
        "NN_WS_PING",
        "ms of silence after which a WebSocket's peer is asked for a sign of life, and after as many again given up; 0 for never.",
        symbol("NN_WS"),
        1001,
    )
    ws_message_type = IntOption(
        "NN_WS_MSG_TYPE",
        "How new WebSocket connections send messages that say nothing else (see ``WsMessageType``).",
        symbol("NN_WS"),
    )
    tls_ca = TextOption(
        "NN_TLS_CA",
        "Certificates that endpoints made from now on trust: PEM, or the path of a file of it; empty for the system's.",
        _TLS,
        1001,
    )
    tls_cert = TextOption(
        "NN_TLS_CERT",
        "Our own certificate, and what it is signed with, likewise. ``bind`` to tls+tcp or wss needs one (EINVAL).",
        _TLS,
        1002,
    )
    tls_key = TextOption(
        "NN_TLS_KEY",
        "The private key of that certificate, likewise, unless it stands beside it. It cannot be read back (EACCES).",
        _TLS,
        1003,
    )
    tls_verify = IntOption(
        "NN_TLS_VERIFY",
        "Which peers have to show a certificate that is trusted (see ``TlsVerify``).",
        _TLS,
        1004,
    )
    tls_name = TextOption(
        "NN_TLS_NAME",
        "The name that peers are asked for, and that their certificate has to be for; empty for the host of the address.",
        _TLS,
        1005,
    )
    tls_min_version = IntOption("NN_TLS_MIN_VERSION", "The oldest version of TLS that is spoken, 12 or 13.", _TLS, 1006)
    resend_interval = IntOption(
        "NN_REQ_RESEND_IVL",
        "REQ: ms after which a request without a reply is sent again.",
        SocketType.REQ,
    )
    fail_fast = IntOption(
        "NN_REQ_FAIL_FAST",
        "REQ: 1 if a request that no peer can take raises Again at once, 0 if it waits for one.",
        SocketType.REQ,
        1001,
    )
    survey_deadline = IntOption(
        "NN_SURVEYOR_DEADLINE", "SURVEYOR: ms that a survey lasts.", SocketType.SURVEYOR
    )

    #: The role this socket has in its pattern.
    type: SocketType
    #: AF_SP or AF_SP_RAW.
    domain: int

    def __init__(self, type: int, domain: int = AF_SP) -> None:
        self._handle = checked(nn_socket, domain, type)
        self.type = SocketType(type)
        self.domain = domain

    @property
    def handle(self) -> int:
        """The library's number for this socket, -1 once closed. Not an OS descriptor."""
        return self._handle

    @property
    def name(self) -> str:
        """What the library calls the socket in its error output; at most 63 bytes of UTF-8."""
        return self.get_option(NN_SOL_SOCKET, _SOCKET_NAME, _NAME_MAX).decode("utf-8", "replace")

    @name.setter
    def name(self, value: str) -> None:
        self.set_option(NN_SOL_SOCKET, _SOCKET_NAME, value.encode("utf-8"))

    @property
    def monitor(self) -> str:
        """Where the socket publishes what happens to it, with the port that the system has chosen; "" for nowhere.

        ``nanomsg_rs.Monitor`` sets it and reads the events.
        """
        return os.fsdecode(self.get_text(NN_SOL_SOCKET, _MONITOR))

    @monitor.setter
    def monitor(self, address: str) -> None:
        self.set_option(NN_SOL_SOCKET, _MONITOR, os.fsencode(address))

    def bind(self, address: str) -> Endpoint:
        """Listen at an address such as ``tcp://127.0.0.1:5555``, ``unix:///run/x``, ``inproc://x``.

        Raises AddressInUse, and NanomsgError with EINVAL (malformed), EPROTONOSUPPORT (unknown
        transport), ENAMETOOLONG, EADDRNOTAVAIL, ENODEV or what the system says.
        """
        return self._endpoint(nn_bind, address)

    def connect(self, address: str) -> Endpoint:
        """Connect to an address in the background, again and again until it works.

        Raises NanomsgError as ``bind`` does, but only for addresses that can never work.
        """
        return self._endpoint(nn_connect, address)

    def shutdown(self, endpoint: Endpoint | int) -> None:
        """Remove an endpoint, given as what ``bind`` or ``connect`` returned or as its id.

        Raises NanomsgError with EINVAL for one that is not there (any more).
        """
        checked(nn_shutdown, self._handle, int(endpoint))

    def subscribe(self, topic: bytes) -> None:
        """Let a SUB socket receive the messages that start with the topic; b"" is all of them."""
        self.set_option(SocketType.SUB, _SUBSCRIBE, topic)

    def unsubscribe(self, topic: bytes) -> None:
        """Take back one ``subscribe`` of that topic."""
        self.set_option(SocketType.SUB, _UNSUBSCRIBE, topic)

    @property
    def forward_subscriptions(self) -> bool:
        """PUB, SUB: whether connections to come carry subscriptions, so that a PUB sends only what is wanted."""
        return bool(self.get_option(self.type, _FORWARD))

    @forward_subscriptions.setter
    def forward_subscriptions(self, forward: bool) -> None:
        self.set_option(self.type, _FORWARD, int(forward))

    def set_option(self, level: int, option: int, value: int | bytes) -> None:
        """Set any option. The level is NN_SOL_SOCKET, a socket type, or a transport (NN_TCP).

        Raises OverflowError for a value that is no C int, and NanomsgError with ENOPROTOOPT
        (no such option, or not to be set) or EINVAL (not with this value).
        """
        if isinstance(value, bytes):
            checked(nn_setsockopt, self._handle, level, option, value, len(value))
            return
        number = c_int(value)
        if number.value != value:
            raise OverflowError(f"{value} does not fit into a C int")
        checked(nn_setsockopt, self._handle, level, option, byref(number), ctypes.sizeof(number))

    @overload
    def get_option(self, level: int, option: int) -> int: ...

    @overload
    def get_option(self, level: int, option: int, size: int) -> bytes: ...

    def get_option(self, level: int, option: int, size: int | None = None) -> int | bytes:
        """Any option's value: an int, or with a size up to that many bytes.

        Raises NanomsgError with ENOPROTOOPT for an option that is not there to be read.
        """
        if size is None:
            number = c_int()
            length = c_size_t(ctypes.sizeof(number))
            checked(nn_getsockopt, self._handle, level, option, byref(number), byref(length))
            return number.value
        value = ctypes.create_string_buffer(size)
        length = c_size_t(size)
        checked(nn_getsockopt, self._handle, level, option, value, byref(length))
        return value.raw[: length.value]

    def get_text(self, level: int, option: int) -> bytes:
        """The value of an option that is text, however long it is."""
        size = 512
        while True:
            value, length = ctypes.create_string_buffer(size), c_size_t(size)
            checked(nn_getsockopt, self._handle, level, option, value, byref(length))
            if length.value <= size:
                return value.raw[: length.value]
            # Twice as much as it was: it may grow until we look again.
            size = 2 * length.value

    def statistic(self, which: int) -> int:
        """One counter or gauge of this socket (see ``Statistic``); EINVAL if there is none such."""
        found = ctypes.get_errno()
        try:
            ctypes.set_errno(0)
            value: int = nn_get_statistic(self._handle, which)
            # -1 is a failure, and also the send priority while nobody can be sent to.
            if value == -1 and ctypes.get_errno() in (errno.EBADF, errno.EINVAL):
                raise error(ctypes.get_errno())
            return value
        finally:
            ctypes.set_errno(found)

    def statistics(self) -> dict[Statistic, int]:
        """All counters and gauges of this socket, of those that the library has."""
        found = {}
        for which in Statistic:
            try:
                found[which] = self.statistic(which)
            except NanomsgError as failure:
                if failure.errno != errno.EINVAL:
                    raise
        return found

    def report(self) -> dict[str, Any]:
        """The same and more at one moment: ``counters``, ``endpoints`` with what has become of them, and ``connections``,
        each with its ``peer``, traffic, queues and round-trip time. NN_STATISTICS, as docs/monitoring.schema.json has it.
        """
        document: dict[str, Any] = json.loads(self.get_text(NN_SOL_SOCKET, _STATISTICS))
        return document

    def close(self) -> None:
        """Close the socket; calls under way in other threads raise BadSocket. Twice is no error."""
        # The number may belong to another socket as soon as nn_close is done with it.
        handle, self._handle = self._handle, _CLOSED
        if handle != _CLOSED:
            try:
                checked(nn_close, handle)
            except BadSocket:
                pass  # term has closed it

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: Type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", _CLOSED) != _CLOSED:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self)
            self.close()

    def __repr__(self) -> str:
        if self._handle == _CLOSED:
            return "<nanomsg_rs.Socket, closed>"
        return f"<nanomsg_rs.Socket {self._handle}, {self.type.name}>"

    def _endpoint(self, operation: Any, address: str) -> Endpoint:
        encoded = os.fsencode(address)
        if b"\0" in encoded:
            raise ValueError("embedded null character in the address")
        number = checked(operation, self._handle, encoded, address=address)
        if _ENDPOINT is not None:
            # With the port that the system has chosen, where port 0 was bound.
            address = os.fsdecode(self.get_option(_ENDPOINT, number, _ADDRESS_MAX))
        return Endpoint(self, number, address)

    def _transfer(
        self,
        operation: Any,
        arguments: tuple[Any, ...],
        flags: int,
        event: int,
        timeout_option: int,
    ) -> int:
        """A send or receive, which after a signal goes on for the time that is left."""
        started = time.monotonic()
        try:
            return checked(operation, self._handle, *arguments, flags)
        except Interrupted:
            deadline = _deadline(started, self.get_option(NN_SOL_SOCKET, timeout_option))
        # A new call would start the timeout afresh, and setting the option to the rest of it
        # would disturb other threads. So the waiting is left to nn_poll, which is told a time.
        while True:
            poll([(self, event)], _until(deadline))
            try:
                return checked(operation, self._handle, *arguments, flags | DONTWAIT)
            except Again:
                if time.monotonic() >= deadline:
                    raise error(errno.ETIMEDOUT) from None


class Socket(BaseSocket):
    """One end of a pattern, for calls that wait."""

    def send(self, data: Buffer | Message, flags: int = 0) -> None:
        """Send one message: bytes, bytearray, memoryview or any other object holding bytes.

        A ``Message`` goes without a copy, and is empty afterwards, unless the call failed.
        Raises Timeout after ``send_timeout`` ms, Again instead of waiting with ``DONTWAIT``,
        NotSupported, WrongState or BadSocket.
        """
        if isinstance(data, bytes):
            self._transfer(nn_send, (data, len(data)), flags, POLLOUT, _SNDTIMEO)
        elif isinstance(data, Message):
            with Sending(data) as header:
                self._transfer(nn_sendmsg, (header,), flags, POLLOUT, _SNDTIMEO)
        else:
            with lent(data) as arguments:
                self._transfer(nn_send, arguments, flags, POLLOUT, _SNDTIMEO)

    def recv(self, flags: int = 0) -> bytes:
        """Receive one message, whatever its size.

        Raises Timeout after ``recv_timeout`` ms, Again instead of waiting with ``DONTWAIT``,
        NotSupported, WrongState or BadSocket.
        """
        message = c_void_p()
        try:
            arguments = (byref(message), NN_MSG)
            size = self._transfer(nn_recv, arguments, flags, POLLIN, _RCVTIMEO)
            return ctypes.string_at(message, size)
        finally:
            if message.value is not None:
                nn_freemsg(message)

    def recv_into(self, memory: Buffer, flags: int = 0) -> int:
        """Receive one message into writable memory. Returns its length, which may be more: what
        does not fit is lost. Raises as ``recv`` does."""
        with lent(memory, writable=True) as arguments:
            return self._transfer(nn_recv, arguments, flags, POLLIN, _RCVTIMEO)

    def recv_message(self, flags: int = 0) -> Message:
        """Receive one message as the library holds it: with its header, and without a copy.

        Raises as ``recv`` does.
        """
        receiving = Receiving()
        size = self._transfer(nn_recvmsg, (receiving.header,), flags, POLLIN, _RCVTIMEO)
        return receiving.message(size)

    def poll(self, events: int = POLLIN, timeout: int = -1) -> int:
        """Wait up to that many ms for POLLIN or POLLOUT; which of them hold, 0 if none does."""
        return next((ready for _, ready in poll([(self, events)], timeout)), 0)


class Endpoint:
    """One bind or connect of a socket."""

    def __init__(self, socket: BaseSocket, id: int, address: str) -> None:
        self.socket = socket
        self.id = id
        self.address = address

    def shutdown(self) -> None:
        """Remove this endpoint from its socket; NanomsgError with EINVAL the second time."""
        self.socket.shutdown(self.id)

    def __int__(self) -> int:
        return self.id

    def __repr__(self) -> str:
        return f"<nanomsg_rs.Endpoint {self.id}, {self.address}>"


def poll(
    requests: Iterable[tuple[_Polled, int]], timeout: int = -1
) -> list[tuple[_Polled, int]]:
    """Wait up to that many ms until some of the sockets are ready for some of the events.

    The events are POLLIN, POLLOUT or both; returned are the sockets that are ready, each with
    the events that hold. The list is empty after the timeout, and may be so earlier if another
    thread closed a socket. Raises BadSocket for a closed one, and NanomsgError with ENOPROTOOPT
    for an event that a socket of that type never has.
    """
    asked = list(requests)
    entries = (PollFd * len(asked))(*[PollFd(socket.handle, events) for socket, events in asked])
    deadline = _deadline(time.monotonic(), timeout)
    while True:
        try:
            checked(nn_poll, entries, len(asked), timeout)
            break
        except Interrupted:
            timeout = _until(deadline)
    return [(socket, entry.revents) for (socket, _), entry in zip(asked, entries) if entry.revents]


def device(first: BaseSocket, second: BaseSocket | None = None) -> NoReturn:
    """Forward messages between two raw sockets, or of one back to itself, until one fails.

    It only ever ends by raising: BadSocket when one is closed, Timeout, or NanomsgError with
    EINVAL for sockets that are not raw or do not fit. Other threads run meanwhile.
    """
    other = _CLOSED if second is None else second.handle
    while True:
        try:
            checked(nn_device, first.handle, other)
        except Interrupted:
            continue  # Python's own handlers have run


def term() -> None:
    """Close every socket and shut the library down for good; opening one then raises Terminated.

    Calls under way in other threads raise BadSocket.
    """
    nn_term()


def _deadline(start: float, timeout: int) -> float:
    """The moment so many ms after a moment of the monotonic clock; never, if negative."""
    return math.inf if timeout < 0 else start + timeout / 1000


def _until(deadline: float) -> int:
    """The whole ms left until a deadline: 0 if it has passed, -1 if it never comes."""
    if deadline == math.inf:
        return -1
    return max(0, math.ceil((deadline - time.monotonic()) * 1000))

"""Scalability protocols (PAIR, PUB/SUB, REQ/REP, ...) through libnanomsg's C ABI.

The modules, from the outside in:

``socket``      Socket and Endpoint, ``poll``, ``device`` and ``term``: all that most programs need
``monitor``     Monitor: what happens to a socket's endpoints and connections, as it happens
``asyncio``     Socket and Monitor for coroutines: ``await socket.recv()``
``requests``    Requests and Replies: several requests at once over one socket
``reporting``   Reporter: events and statistics of sockets, published for whoever watches the process
``prometheus``  the same statistics for Prometheus
``messages``    Message: a message in the library's own memory, for sending and receiving
``options``     socket options as attributes
``buffers``     memory of Python objects lent to the library without a copy
``errors``      one exception class for each errno a program reacts to
``constants``   every constant, under its C name, as the loaded library states it
``library``     finding the shared library, and the prototypes of its functions
"""

from .constants import (
    AF_SP,
    AF_SP_RAW,
    DONTWAIT,
    POLLIN,
    POLLOUT,
    Overflow,
    SocketType,
    Statistic,
    TlsVerify,
    WsMessageType,
)
from .errors import (
    AddressInUse,
    Again,
    BadSocket,
    Interrupted,
    NanomsgError,
    NotSupported,
    Terminated,
    Timeout,
    WrongState,
)
from .messages import Message
from .monitor import Event, Monitor
from .requests import Replies, Request, Requests
from .socket import Endpoint, Socket, device, poll, term

__all__ = [
    "AF_SP",
    "AF_SP_RAW",
    "AddressInUse",
    "Again",
    "BadSocket",
    "DONTWAIT",
    "Endpoint",
    "Event",
    "Interrupted",
    "Message",
    "Monitor",
    "NanomsgError",
    "NotSupported",
    "Overflow",
    "POLLIN",
    "POLLOUT",
    "Replies",
    "Request",
    "Requests",
    "Socket",
    "SocketType",
    "Statistic",
    "Terminated",
    "Timeout",
    "TlsVerify",
    "WrongState",
    "WsMessageType",
    "device",
    "poll",
    "term",
]

"""Every constant of the C headers, with the value the loaded library gives it.

``SYMBOLS`` maps C names to values, and each is an attribute of this module too::

    from nanomsg_rs import constants as nn
    socket.set_option(nn.NN_TCP, nn.NN_TCP_NODELAY, 1)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ctypes import byref, c_int
from enum import IntEnum

from .library import PATH, nn_symbol


def _symbols() -> Iterator[tuple[str, int]]:
    index = 0
    value = c_int()
    while True:
        name = nn_symbol(index, byref(value))
        if name is None:
            return
        yield name.decode("ascii"), value.value
        index += 1


SYMBOLS: Mapping[str, int] = dict(_symbols())


def __getattr__(name: str) -> int:
    try:
        return SYMBOLS[name]
    except KeyError:
        raise AttributeError(f"{PATH} has no constant {name!r}") from None


def __dir__() -> list[str]:
    return sorted({*globals(), *SYMBOLS})


def symbol(name: str) -> int:
    """The value of a constant this package needs; ImportError when the library lacks it."""
    try:
        return SYMBOLS[name]
    except KeyError:
        raise ImportError(f"{PATH} does not name {name} in nn_symbol") from None


AF_SP = symbol("AF_SP")
AF_SP_RAW = symbol("AF_SP_RAW")
DONTWAIT = symbol("NN_DONTWAIT")
POLLIN = symbol("NN_POLLIN")
POLLOUT = symbol("NN_POLLOUT")


class WsMessageType(IntEnum):
    """How a message travels over WebSocket."""

    TEXT = symbol("NN_WS_MSG_TYPE_TEXT")
    BINARY = symbol("NN_WS_MSG_TYPE_BINARY")


class Overflow(IntEnum):
    """What becomes of a message for a peer that has ``send_buffer`` bytes waiting already."""

    DROP_NEW = SYMBOLS.get("NN_OVERFLOW_DROP_NEW", 0)
    DROP_OLD = SYMBOLS.get("NN_OVERFLOW_DROP_OLD", 1)
    WAIT = SYMBOLS.get("NN_OVERFLOW_WAIT", 2)


class TlsVerify(IntEnum):
    """Which peers have to show a certificate that is trusted and, when connecting, for the right name."""

    #: Required when connecting, none when bound.
    DEFAULT = -1
    NONE = 0
    #: Of the peers that show one.
    OPTIONAL = 1
    REQUIRED = 2


class SocketType(IntEnum):
    """The role of a socket in its pattern."""

    PAIR = symbol("NN_PAIR")
    PUB = symbol("NN_PUB")
    SUB = symbol("NN_SUB")
    REQ = symbol("NN_REQ")
    REP = symbol("NN_REP")
    PUSH = symbol("NN_PUSH")
    PULL = symbol("NN_PULL")
    SURVEYOR = symbol("NN_SURVEYOR")
    RESPONDENT = symbol("NN_RESPONDENT")
    BUS = symbol("NN_BUS")


class Statistic(IntEnum):
    """What ``Socket.statistic`` can tell. All but the CURRENT_ and INPROGRESS_ ones only grow."""

    ESTABLISHED_CONNECTIONS = symbol("NN_STAT_ESTABLISHED_CONNECTIONS")
    ACCEPTED_CONNECTIONS = symbol("NN_STAT_ACCEPTED_CONNECTIONS")
    DROPPED_CONNECTIONS = symbol("NN_STAT_DROPPED_CONNECTIONS")
    BROKEN_CONNECTIONS = symbol("NN_STAT_BROKEN_CONNECTIONS")
    CONNECT_ERRORS = symbol("NN_STAT_CONNECT_ERRORS")
    BIND_ERRORS = symbol("NN_STAT_BIND_ERRORS")
    ACCEPT_ERRORS = symbol("NN_STAT_ACCEPT_ERRORS")
    CURRENT_CONNECTIONS = symbol("NN_STAT_CURRENT_CONNECTIONS")
    INPROGRESS_CONNECTIONS = symbol("NN_STAT_INPROGRESS_CONNECTIONS")
    CURRENT_EP_ERRORS = symbol("NN_STAT_CURRENT_EP_ERRORS")
    MESSAGES_SENT = symbol("NN_STAT_MESSAGES_SENT")
    MESSAGES_RECEIVED = symbol("NN_STAT_MESSAGES_RECEIVED")
    BYTES_SENT = symbol("NN_STAT_BYTES_SENT")
    BYTES_RECEIVED = symbol("NN_STAT_BYTES_RECEIVED")
    CURRENT_SND_PRIORITY = symbol("NN_STAT_CURRENT_SND_PRIORITY")
    # Of libnanomsg-rs alone; with another library asking for it is EINVAL.
    MESSAGES_FILTERED = SYMBOLS.get("NN_STAT_MESSAGES_FILTERED", 1301)
    MESSAGES_OVERFLOWED = SYMBOLS.get("NN_STAT_MESSAGES_OVERFLOWED", 1302)
    MESSAGES_CONFLATED = SYMBOLS.get("NN_STAT_MESSAGES_CONFLATED", 1303)

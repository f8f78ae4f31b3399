"""One exception class for each errno a program reacts to, and the call that raises them."""

from __future__ import annotations

import ctypes
from typing import Any

from .constants import symbol
from .library import nn_strerror


class NanomsgError(OSError):
    """A call of the library failed; ``errno`` says why, ``strerror`` is nn_strerror's text."""


class Again(NanomsgError, BlockingIOError):
    """EAGAIN: the operation would block, and DONTWAIT forbade it."""


class Timeout(NanomsgError, TimeoutError):
    """ETIMEDOUT: the send or receive timeout passed, or a survey ended."""


class Interrupted(NanomsgError, InterruptedError):
    """EINTR: a signal arrived. The package resumes its calls, so programs rarely see it."""


class BadSocket(NanomsgError):
    """EBADF: the socket is closed, or another thread closed it during the call."""


class Terminated(NanomsgError):
    """ETERM: ``term`` was called; the library opens no more sockets."""


class WrongState(NanomsgError):
    """EFSM: not now in this pattern, as a REP socket's send before it received a request."""


class NotSupported(NanomsgError):
    """ENOTSUP: the socket type has no such operation, as a SUB socket's send."""


class AddressInUse(NanomsgError):
    """EADDRINUSE: another endpoint is bound to the address."""


_CLASSES: dict[int, type[NanomsgError]] = {
    symbol("EAGAIN"): Again,
    symbol("ETIMEDOUT"): Timeout,
    symbol("EINTR"): Interrupted,
    symbol("EBADF"): BadSocket,
    symbol("ETERM"): Terminated,
    symbol("EFSM"): WrongState,
    symbol("ENOTSUP"): NotSupported,
    symbol("EADDRINUSE"): AddressInUse,
}


def error(number: int, address: str | None = None) -> NanomsgError:
    """The exception for an errno; the address it is about becomes ``filename``."""
    text = nn_strerror(number).decode("utf-8", "replace")
    about = () if address is None else (address,)
    return _CLASSES.get(number, NanomsgError)(number, text, *about)


def checked(function: Any, *arguments: Any, address: str | None = None) -> int:
    """Call a function of the library that reports failure as -1, and raise its errno.

    Python may run a signal handler or a finalizer between the call and the reading of errno.
    Handing errno back as it was found keeps the calls made there from disturbing this one.
    """
    found = ctypes.get_errno()
    try:
        result: int = function(*arguments)
        if result == -1:
            raise error(ctypes.get_errno(), address)
        return result
    finally:
        ctypes.set_errno(found)

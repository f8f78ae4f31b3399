"""Finding the shared library, and the prototypes of the functions used from it."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from collections.abc import Iterator, Mapping
from ctypes import POINTER, c_char_p, c_int, c_int64, c_short, c_size_t, c_void_p
from pathlib import Path
from typing import Any

FILE_NAMES = (
    "libnanomsg.so.6",
    "libnanomsg.so",
    "libnanomsg.6.dylib",
    "libnanomsg.dylib",
    "nanomsg.dll",
)

#: The length that asks the library to use a message buffer of its own.
NN_MSG = c_size_t(-1).value


class PollFd(ctypes.Structure):
    """struct nn_pollfd."""

    _fields_ = [("fd", c_int), ("events", c_short), ("revents", c_short)]


class IoVec(ctypes.Structure):
    """struct nn_iovec."""

    _fields_ = [("iov_base", c_void_p), ("iov_len", c_size_t)]


class MsgHdr(ctypes.Structure):
    """struct nn_msghdr."""

    _fields_ = [
        ("msg_iov", POINTER(IoVec)),
        ("msg_iovlen", c_int),
        ("msg_control", c_void_p),
        ("msg_controllen", c_size_t),
    ]


def candidates(environment: Mapping[str, str], package: Path) -> Iterator[str]:
    """The libraries to consider for the package in that directory, best first.

    NANOMSG_LIBRARY is an order, not a hint: when it is set nothing else is considered.
    """
    chosen = environment.get("NANOMSG_LIBRARY")
    if chosen:
        yield chosen
        return
    checkout_build = package.parent.parent.parent / "target" / "lib"
    for directory in (package, checkout_build):
        for name in FILE_NAMES:
            path = directory / name
            if path.exists():
                yield str(path)
    installed = ctypes.util.find_library("nanomsg")
    if installed:
        yield installed


def find() -> str:
    """The path or name of the library to load; ImportError when there is none."""
    for candidate in candidates(os.environ, Path(__file__).resolve().parent):
        return candidate
    raise ImportError(
        "no nanomsg library found: set NANOMSG_LIBRARY to its path, or build or install it"
    )


PATH = find()

try:
    _library = ctypes.CDLL(PATH, use_errno=True)
    # Calls through this one leave ctypes' copy of errno alone, so that they can stand between
    # a failed call and the reading of its errno.
    _quiet_library = ctypes.CDLL(PATH)
except OSError as cause:
    raise ImportError(f"cannot load the nanomsg library {PATH!r}: {cause}") from cause


def _function(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(library, name)
    function.restype = result
    function.argtypes = arguments
    return function


nn_socket = _function(_library, "nn_socket", c_int, c_int, c_int)
nn_close = _function(_library, "nn_close", c_int, c_int)
nn_setsockopt = _function(_library, "nn_setsockopt", c_int, c_int, c_int, c_int, c_void_p, c_size_t)
nn_getsockopt = _function(
    _library, "nn_getsockopt", c_int, c_int, c_int, c_int, c_void_p, POINTER(c_size_t)
)
nn_bind = _function(_library, "nn_bind", c_int, c_int, c_char_p)
nn_connect = _function(_library, "nn_connect", c_int, c_int, c_char_p)
nn_shutdown = _function(_library, "nn_shutdown", c_int, c_int, c_int)
nn_send = _function(_library, "nn_send", c_int, c_int, c_void_p, c_size_t, c_int)
nn_recv = _function(_library, "nn_recv", c_int, c_int, c_void_p, c_size_t, c_int)
nn_sendmsg = _function(_library, "nn_sendmsg", c_int, c_int, POINTER(MsgHdr), c_int)
nn_recvmsg = _function(_library, "nn_recvmsg", c_int, c_int, POINTER(MsgHdr), c_int)
nn_device = _function(_library, "nn_device", c_int, c_int, c_int)
nn_poll = _function(_library, "nn_poll", c_int, POINTER(PollFd), c_int, c_int)
# Declared unsigned in C; read as signed, failure and "no priority" are -1 as everywhere else.
nn_get_statistic = _function(_library, "nn_get_statistic", c_int64, c_int, c_int)

nn_allocmsg = _function(_library, "nn_allocmsg", c_void_p, c_size_t, c_int)
nn_term = _function(_quiet_library, "nn_term", None)
nn_freemsg = _function(_quiet_library, "nn_freemsg", c_int, c_void_p)
nn_strerror = _function(_quiet_library, "nn_strerror", c_char_p, c_int)
nn_symbol = _function(_quiet_library, "nn_symbol", c_char_p, c_int, POINTER(c_int))

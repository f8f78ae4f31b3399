"""Memory of Python objects, lent to the library without a copy."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, c_char_p, c_int, c_ssize_t, c_void_p, py_object
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer


class _Buffer(ctypes.Structure):
    """Py_buffer, as the stable ABI fixes it. ctypes' own from_buffer refuses read-only memory."""

    _fields_ = [
        ("buf", c_void_p),
        ("obj", c_void_p),
        ("len", c_ssize_t),
        ("itemsize", c_ssize_t),
        ("readonly", c_int),
        ("ndim", c_int),
        ("format", c_char_p),
        ("shape", POINTER(c_ssize_t)),
        ("strides", POINTER(c_ssize_t)),
        ("suboffsets", POINTER(c_ssize_t)),
        ("internal", c_void_p),
    ]


# Prototypes of our own: those on ctypes.pythonapi are shared with every other package.
_get_buffer = ctypes.PYFUNCTYPE(c_int, py_object, POINTER(_Buffer), c_int)(
    ("PyObject_GetBuffer", ctypes.pythonapi)
)
_release_buffer = ctypes.PYFUNCTYPE(None, POINTER(_Buffer))(("PyBuffer_Release", ctypes.pythonapi))
_PLAIN_BYTES = 0
_WRITABLE = 1


@contextmanager
def lent(data: Buffer, writable: bool = False) -> Iterator[tuple[int | bytes | None, int]]:
    """The address and the size in bytes of what the object holds, valid within the block.

    The memory is that of the object, unless its bytes lie apart (a strided memoryview): those
    are gathered into a copy, or refused (BufferError) if they shall be writable. TypeError if
    the object holds no bytes.
    """
    view = _Buffer()
    try:
        _get_buffer(data, ctypes.byref(view), _WRITABLE if writable else _PLAIN_BYTES)
    except BufferError:
        if writable:
            raise
        gathered = memoryview(data).tobytes()
        yield gathered, len(gathered)
        return
    try:
        yield view.buf, view.len
    finally:
        _release_buffer(ctypes.byref(view))

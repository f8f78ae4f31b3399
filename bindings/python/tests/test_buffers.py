"""What can be sent: anything that holds bytes, without copying it where its bytes lie together."""

from __future__ import annotations

import array
import ctypes

import pytest

from nanomsg_rs import DONTWAIT, Again
from nanomsg_rs.buffers import lent

DATA = bytes(range(200))

KINDS = {
    "bytes": (DATA, DATA),
    "bytearray": (bytearray(DATA), DATA),
    "memoryview": (memoryview(bytearray(DATA)), DATA),
    "read-only memoryview": (memoryview(DATA), DATA),
    "slice": (memoryview(bytearray(DATA))[10:20], DATA[10:20]),
    "read-only slice": (memoryview(DATA)[10:20], DATA[10:20]),
    "strided": (memoryview(DATA)[::3], DATA[::3]),
    "reversed": (memoryview(DATA)[::-1], DATA[::-1]),
    "two dimensions": (memoryview(DATA).cast("B", (10, 20)), DATA),
    "array": (array.array("I", [1, 2, 3]), array.array("I", [1, 2, 3]).tobytes()),
    "ctypes": ((ctypes.c_ubyte * 4)(1, 2, 3, 4), b"\1\2\3\4"),
    "empty bytes": (b"", b""),
    "empty bytearray": (bytearray(), b""),
    "empty slice": (memoryview(DATA)[5:5], b""),
    "zero bytes": (b"\0a\0", b"\0a\0"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_buffers(pair, kind):
    bound, connected = pair
    given, expected = KINDS[kind]
    connected.send(given)
    assert bound.recv() == expected


@pytest.mark.parametrize("given", ["text", 5, None, [1, 2], 1.5])
def test_what_holds_no_bytes_is_refused(pair, given):
    bound, connected = pair
    with pytest.raises(TypeError):
        connected.send(given)
    connected.send(b"unharmed")
    assert bound.recv() == b"unharmed"


def test_sent_memory_may_be_reused_at_once(pair):
    bound, connected = pair
    memory = bytearray(b"first")
    connected.send(memory)
    memory[:] = b"other"
    assert bound.recv() == b"first"


def test_memory_is_given_back_after_sending(pair):
    bound, connected = pair
    memory = bytearray(b"message")
    connected.send(memory)
    memory.extend(b" and more")  # BufferError while it is lent
    assert bound.recv() == b"message"


def test_memory_is_given_back_after_a_failure(open_socket):
    memory = bytearray(b"message")
    with pytest.raises(Again):
        open_socket().send(memory, DONTWAIT)
    memory.extend(b" and more")


@pytest.mark.parametrize("readonly", [False, True])
def test_nothing_is_copied(readonly):
    memory = bytearray(DATA)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    view = memoryview(memory)[7:]
    with lent(view.toreadonly() if readonly else view) as (lent_address, size):
        assert (lent_address, size) == (address + 7, len(DATA) - 7)

"""Messages in the library's own memory."""

from __future__ import annotations

import ctypes
import gc

import pytest
from conftest import wait_for_connections

from nanomsg_rs import AF_SP_RAW, DONTWAIT, Again, Message, SocketType, WsMessageType


def address_of(view):
    return ctypes.addressof(ctypes.c_char.from_buffer(view))


@pytest.mark.parametrize("size", [0, 1, 104, 105, 100_000])
def test_a_message_is_received_and_sent_on(pair, size):
    bound, connected = pair
    data = bytes(number % 251 for number in range(size))
    connected.send(data)
    message = bound.recv_message()
    assert len(message) == size
    assert bytes(message) == bytes(message.view) == data
    bound.send(message)
    assert (len(message), bytes(message)) == (0, b"")
    assert connected.recv() == data


@pytest.mark.parametrize("transport", ["inproc"])
def test_sent_and_received_it_is_the_same_memory(pair):
    bound, connected = pair
    message = Message(100_000)
    view = message.view
    view[:5] = b"hello"
    place = address_of(view)
    del view
    connected.send(message)
    received = bound.recv_message()
    assert address_of(received.view) == place
    assert received.view[:6] == b"hello\0"


@pytest.mark.parametrize("transport", ["inproc"])
def test_a_view_keeps_its_bytes_after_sending(pair):
    bound, connected = pair
    message = Message(b"x" * 100_000)
    part = message.view[10:20]
    connected.send(message)
    del message
    received = bound.recv_message()
    received.view[:] = b"y" * 100_000
    gc.collect()
    assert part == b"x" * 10


def test_a_view_outlives_its_message(pair):
    bound, connected = pair
    connected.send(b"z" * 200_000)
    part = bound.recv_message().view[1:]
    gc.collect()
    others = [Message(b"o" * 200_000) for _ in range(10)]
    assert part == b"z" * 199_999
    assert len(others) == 10


def test_what_was_not_sent_is_still_there(open_socket):
    message = Message(b"hello")
    with pytest.raises(Again):
        open_socket().send(message, DONTWAIT)
    assert message == b"hello"


def test_messages_compare_by_their_bytes():
    assert Message(b"a") == Message(b"a") == b"a"
    assert Message(b"a") != b"b"
    assert Message(3) == bytes(3)
    assert Message(b"a") != 5
    with pytest.raises(ValueError):
        Message(-1)


def test_an_absurd_size_is_refused():
    with pytest.raises((OSError, OverflowError)):
        Message(2**62)


@pytest.mark.parametrize("transport", ["inproc", "tcp"])
def test_a_raw_socket_sees_the_header_and_answers_by_it(open_socket, address):
    asker, answerer = open_socket(SocketType.REQ), open_socket(SocketType.REP, AF_SP_RAW)
    answerer.bind(address)
    asker.connect(address)
    asker.send(b"question")
    question = answerer.recv_message()
    assert question == b"question"
    assert len(question.header) == 8
    answerer.send(Message(b"answer", header=question.header))
    assert asker.recv() == b"answer"


def test_a_text_message_says_so_over_websocket(open_socket, free_port):
    bound, connected = open_socket(), open_socket()
    bound.bind(f"ws://127.0.0.1:{free_port}")
    connected.connect(f"ws://127.0.0.1:{free_port}")
    wait_for_connections(connected, 1)
    connected.send(Message(b"text", ws_message_type=WsMessageType.TEXT))
    connected.send(b"bytes")
    assert bound.recv_message().ws_message_type is WsMessageType.TEXT
    assert bound.recv_message().ws_message_type is WsMessageType.BINARY
    # The option is for connections to come.
    bound.ws_message_type = connected.ws_message_type = WsMessageType.TEXT
    connected.send(b"bytes still")
    assert bound.recv_message().ws_message_type is WsMessageType.BINARY


def test_memory_of_the_program_takes_what_fits(pair):
    bound, connected = pair
    connected.send(b"hello")
    memory = bytearray(b"....")
    assert bound.recv_into(memory) == 5
    assert memory == b"hell"
    with pytest.raises(BufferError):
        bound.recv_into(b"read only")

"""Failures become exceptions that carry errno and the library's text."""

from __future__ import annotations

import errno
import pickle

import pytest

from nanomsg_rs import (
    POLLIN,
    POLLOUT,
    BadSocket,
    NanomsgError,
    Socket,
    SocketType,
    Statistic,
    WrongState,
    poll,
)
from nanomsg_rs import constants as nn
from nanomsg_rs.errors import error

BAD_FOR_BOTH = [
    ("nonsense", errno.EINVAL),
    ("tcp:/127.0.0.1:5555", errno.EINVAL),
    ("", errno.EINVAL),
    ("tcp://127.0.0.1", errno.EINVAL),
    ("tcp://127.0.0.1:", errno.EINVAL),
    ("tcp://127.0.0.1:65536", errno.EINVAL),
    ("tcp://127.0.0.1:5x", errno.EINVAL),
    ("carrier-pigeon://loft", errno.EPROTONOSUPPORT),
    ("TCP://127.0.0.1:5555", errno.EPROTONOSUPPORT),
    ("inproc://" + "x" * 119, errno.ENAMETOOLONG),
    ("unix://", errno.EINVAL),
    ("unix:///" + "p" * 107, errno.ENAMETOOLONG),
    ("winpipe://x", errno.EPROTONOSUPPORT),
]
BAD_TO_BIND = [
    ("tcp://no-such-interface:5555", errno.ENODEV),
    ("tcp://203.0.113.7:5555", errno.EADDRNOTAVAIL),
    ("ipc:///no/such/directory/socket", errno.ENOENT),
    ("unix:///no/such/directory/socket", errno.ENOENT),
]
BAD_TO_CONNECT = [
    ("tcp://*:5555", errno.EINVAL),
    ("tcp://:5555", errno.EINVAL),
    ("tcp://under_score:5555", errno.EINVAL),
    ("tcp://no-such-interface;127.0.0.1:5555", errno.ENODEV),
]


@pytest.mark.parametrize(("address", "number"), BAD_FOR_BOTH + BAD_TO_BIND)
def test_addresses_that_cannot_be_bound(open_socket, address, number):
    with pytest.raises(NanomsgError) as caught:
        open_socket().bind(address)
    assert caught.value.errno == number
    assert caught.value.filename == address


@pytest.mark.parametrize(("address", "number"), BAD_FOR_BOTH + BAD_TO_CONNECT)
def test_addresses_that_cannot_be_connected_to(open_socket, address, number):
    with pytest.raises(NanomsgError) as caught:
        open_socket().connect(address)
    assert caught.value.errno == number
    assert caught.value.filename == address


def test_the_longest_address_is_accepted(open_socket):
    assert open_socket().bind("inproc://" + "x" * 118).id == 1


def test_a_null_character_cannot_cut_an_address_short(open_socket):
    with pytest.raises(ValueError):
        open_socket().bind("inproc://visible\0hidden")


def test_every_call_on_a_closed_socket_is_refused(open_socket, tmp_path):
    socket = open_socket()
    socket.close()
    calls = [
        lambda: socket.bind(f"ipc://{tmp_path}/x"),
        lambda: socket.connect(f"ipc://{tmp_path}/x"),
        lambda: socket.shutdown(1),
        lambda: socket.send(b"x"),
        lambda: socket.send(bytearray(b"x")),
        lambda: socket.recv(),
        lambda: socket.poll(POLLIN, 0),
        lambda: socket.statistic(Statistic.MESSAGES_SENT),
        lambda: socket.statistics(),
    ]
    for call in calls:
        with pytest.raises(BadSocket) as caught:
            call()
        assert caught.value.errno == errno.EBADF


def test_closing_twice_is_no_error_and_spares_the_next_socket(open_socket):
    first = open_socket()
    first.close()
    second = open_socket()  # is likely to have got the same number
    first.close()
    assert second.max_ttl == 8


def test_unknown_socket_types_and_domains():
    with pytest.raises(NanomsgError) as caught:
        Socket(12345)
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(NanomsgError) as caught:
        Socket(SocketType.PAIR, 77)
    assert caught.value.errno == errno.EAFNOSUPPORT


def test_endpoints_and_statistics_that_do_not_exist(open_socket):
    socket = open_socket()
    for call in (lambda: socket.shutdown(99), lambda: socket.statistic(9999)):
        with pytest.raises(NanomsgError) as caught:
            call()
        assert caught.value.errno == errno.EINVAL


def test_polling_a_closed_socket_among_others(open_socket):
    alive, closed = open_socket(), open_socket()
    closed.close()
    with pytest.raises(BadSocket):
        poll([(alive, POLLIN), (closed, POLLOUT)], 0)


def test_the_text_is_the_library_s():
    assert error(errno.EADDRINUSE).strerror == "Address already in use"
    assert error(nn.ETERM).strerror == "Nanomsg library was terminated"
    state = error(nn.EFSM)
    assert isinstance(state, WrongState)
    assert state.strerror == "Operation cannot be performed in this state"


def test_an_errno_without_a_class_of_its_own_is_still_ours():
    failure = error(errno.ENODEV, "tcp://nowhere:1")
    assert type(failure) is NanomsgError
    assert isinstance(failure, OSError)
    assert "tcp://nowhere:1" in str(failure)


def test_exceptions_survive_pickling():
    copy = pickle.loads(pickle.dumps(error(nn.EFSM)))
    assert type(copy) is WrongState
    assert (copy.errno, copy.strerror) == (nn.EFSM, error(nn.EFSM).strerror)


def test_a_socket_left_open_is_closed_with_a_warning():
    with pytest.warns(ResourceWarning, match="unclosed"):
        Socket(SocketType.PAIR).__del__()

"""Options: defaults, what is accepted, what is refused."""

from __future__ import annotations

import errno
import select

import pytest

from nanomsg_rs import AF_SP, AF_SP_RAW, BadSocket, NanomsgError, Socket, SocketType, TlsVerify
from nanomsg_rs import constants as nn

DEFAULTS = {
    "send_buffer": 131072,
    "recv_buffer": 131072,
    "recv_max_size": 1048576,
    "send_timeout": -1,
    "recv_timeout": -1,
    "reconnect_interval": 100,
    "reconnect_interval_max": 0,
    "send_priority": 8,
    "recv_priority": 8,
    "max_ttl": 8,
    "ipv4_only": True,
}

ACCEPTED = [
    ("send_buffer", 1),
    ("recv_buffer", 1 << 20),
    ("recv_max_size", -1),
    ("recv_max_size", 0),
    ("send_timeout", 0),
    ("send_timeout", -1),
    ("recv_timeout", 2**31 - 1),
    ("reconnect_interval", 0),
    ("reconnect_interval_max", 60_000),
    ("send_priority", 1),
    ("recv_priority", 16),
    ("max_ttl", 1),
    ("max_ttl", 255),
    ("ipv4_only", False),
    ("name", "a name"),
    ("name", ""),
    ("name", "n" * 63),
]

REFUSED = [
    ("send_buffer", 0),
    ("recv_buffer", -1),
    ("recv_max_size", -2),
    ("reconnect_interval", -1),
    ("reconnect_interval_max", -1),
    ("send_priority", 0),
    ("recv_priority", 17),
    ("max_ttl", 0),
    ("max_ttl", 256),
    ("name", "n" * 64),
]


@pytest.fixture
def socket(open_socket):
    return open_socket()


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults(name):
    with Socket(SocketType.PAIR) as pristine:
        assert getattr(pristine, name) == DEFAULTS[name]


@pytest.mark.parametrize(("name", "value"), ACCEPTED)
def test_a_value_is_read_back(socket, name, value):
    setattr(socket, name, value)
    assert getattr(socket, name) == value


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_a_value_outside_the_range_is_refused_and_changes_nothing(socket, name, value):
    before = getattr(socket, name)
    with pytest.raises(NanomsgError) as caught:
        setattr(socket, name, value)
    assert caught.value.errno == errno.EINVAL
    assert getattr(socket, name) == before


def test_linger_can_be_set(socket):
    socket.linger = 250
    assert socket.linger >= 0


def test_options_belong_to_one_socket(open_socket):
    one, other = open_socket(), open_socket()
    one.max_ttl = 3
    assert other.max_ttl == 8


@pytest.mark.parametrize("name", ["send_fd", "recv_fd"])
def test_descriptors_cannot_be_set(socket, name):
    with pytest.raises(AttributeError):
        setattr(socket, name, 0)


def test_the_receive_descriptor_is_readable_while_a_message_waits(pair):
    bound, connected = pair
    assert select.select([bound.recv_fd], [], [], 0) == ([], [], [])
    connected.send(b"wake")
    assert select.select([bound.recv_fd], [], [], 10) == ([bound.recv_fd], [], [])
    bound.recv()
    assert select.select([bound.recv_fd], [], [], 0) == ([], [], [])


def test_the_send_descriptor_is_readable_while_a_peer_is_there(pair, open_socket):
    bound, _ = pair
    assert select.select([bound.send_fd], [], [], 10) == ([bound.send_fd], [], [])
    assert select.select([open_socket().send_fd], [], [], 0) == ([], [], [])


@pytest.mark.parametrize("domain", [AF_SP, AF_SP_RAW])
def test_a_socket_knows_its_type_and_domain(open_socket, domain):
    socket = open_socket(SocketType.PAIR, domain)
    assert (socket.type, socket.domain) == (SocketType.PAIR, domain)
    assert socket.get_option(nn.NN_SOL_SOCKET, nn.NN_PROTOCOL) == SocketType.PAIR
    assert socket.get_option(nn.NN_SOL_SOCKET, nn.NN_DOMAIN) == domain


def test_generic_access_to_integers(socket):
    socket.set_option(nn.NN_SOL_SOCKET, nn.NN_MAXTTL, 5)
    assert socket.get_option(nn.NN_SOL_SOCKET, nn.NN_MAXTTL) == socket.max_ttl == 5


def test_generic_access_to_bytes(socket):
    socket.set_option(nn.NN_SOL_SOCKET, nn.NN_SOCKET_NAME, b"some bytes")
    assert socket.get_option(nn.NN_SOL_SOCKET, nn.NN_SOCKET_NAME, 64) == b"some bytes"
    assert socket.get_option(nn.NN_SOL_SOCKET, nn.NN_SOCKET_NAME, 4) == b"some"


def test_transport_options(socket):
    assert socket.get_option(nn.NN_TCP, nn.NN_TCP_NODELAY) == 0
    socket.set_option(nn.NN_TCP, nn.NN_TCP_NODELAY, 1)
    assert socket.get_option(nn.NN_TCP, nn.NN_TCP_NODELAY) == 1


@pytest.mark.skipif("NN_TLS" not in nn.SYMBOLS, reason="this library has no TLS")
def test_certificates_are_text_or_files(socket, certificates):
    assert (socket.tls_ca, socket.tls_cert, socket.tls_verify) == ("", "", TlsVerify.DEFAULT)
    file = certificates / "server.pem"
    for given, read in [(str(file), str(file)), (file, str(file)), (file.read_bytes(), file.read_text()), ("", "")]:
        socket.tls_ca = given
        assert socket.tls_ca == read
    socket.tls_key = certificates / "server.key"
    for name, number in [("none.pem", errno.ENOENT), ("server.key", errno.EINVAL)]:
        with pytest.raises(NanomsgError) as caught:
            socket.tls_cert = certificates / name
        assert caught.value.errno == number
    with pytest.raises(NanomsgError) as caught:
        socket.tls_key  # noqa: B018
    assert caught.value.errno == errno.EACCES


@pytest.mark.parametrize("option", ["NN_DOMAIN", "NN_PROTOCOL", "NN_RCVFD"])
def test_what_can_only_be_read_cannot_be_set(socket, option):
    with pytest.raises(NanomsgError) as caught:
        socket.set_option(nn.NN_SOL_SOCKET, getattr(nn, option), 1)
    assert caught.value.errno == errno.ENOPROTOOPT


def test_unknown_options(socket):
    for level, option in [(nn.NN_SOL_SOCKET, 9999), (nn.NN_TCP, 9999), (-100, 1)]:
        with pytest.raises(NanomsgError) as caught:
            socket.get_option(level, option)
        assert caught.value.errno == errno.ENOPROTOOPT
        with pytest.raises(NanomsgError) as caught:
            socket.set_option(level, option, 1)
        assert caught.value.errno == errno.ENOPROTOOPT


def test_a_value_of_the_wrong_size_is_refused(socket):
    with pytest.raises(NanomsgError) as caught:
        socket.set_option(nn.NN_SOL_SOCKET, nn.NN_SNDTIMEO, b"\0\0\0")
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**64])
def test_a_value_beyond_a_c_int_is_refused(socket, value):
    with pytest.raises(OverflowError):
        socket.send_timeout = value
    assert socket.send_timeout == 10_000


def test_options_of_a_closed_socket(socket):
    socket.close()
    with pytest.raises(BadSocket):
        socket.max_ttl  # noqa: B018
    with pytest.raises(BadSocket):
        socket.max_ttl = 1

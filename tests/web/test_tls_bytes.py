"""What is on the wire inside TLS, with Python's ssl and with openssl at the other end."""

from __future__ import annotations

import socket as os_socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from conftest import PATIENCE, eventually, has_peers, need
from nanomsg_rs import Socket, SocketType
from nanomsg_rs import constants as nn

Opens = Callable[[SocketType], Socket]

#: Of a PAIR: no byte of TLS stands before it, and none that tells ipc's kinds of messages behind it.
GREETING = b"\0SP\0\0\x10\0\0"

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
each_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(8, "big") + body


def port_of(address: str) -> int:
    return int(address.rsplit(":", 1)[1])


def read(theirs: Any, size: int) -> bytes:
    came = b""
    while len(came) < size and (more := theirs.recv(size - len(came))):
        came += more
    return came


def converse(ours: Socket, theirs: ssl.SSLSocket) -> None:
    assert read(theirs, len(GREETING)) == GREETING
    theirs.sendall(GREETING)
    has_peers(ours, 1)
    for body in [b"", b"hello", b"x" * 16384, b"y" * 100000]:
        ours.send(body)
        assert read(theirs, 8 + len(body)) == frame(body)
        theirs.sendall(frame(body))
        assert ours.recv() == body
    # Several in one record, and one that comes byte by byte, each in a record of its own.
    theirs.sendall(frame(b"one") + frame(b"two") + frame(b"three")[:9])
    assert [ours.recv(), ours.recv()] == [b"one", b"two"]
    for byte in frame(b"three")[9:]:
        theirs.sendall(bytes([byte]))
    assert ours.recv() == b"three"


def client(address: str, context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLSocket:
    """What ends without a close_notify raises an error there."""
    context.minimum_version = context.maximum_version = version
    plain = os_socket.create_connection(("127.0.0.1", port_of(address)), PATIENCE)
    return context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)


@each_version
@pytest.mark.parametrize("alpn", [False, True], ids=["without ALPN", "with ALPN"])
def test_a_client_hears_what_tcp_has(
    version: ssl.TLSVersion, alpn: bool, open_socket: Opens, tls_address: str, client_tls: ssl.SSLContext
) -> None:
    pair = open_socket(SocketType.PAIR)
    pair.bind(tls_address)
    if alpn:
        client_tls.set_alpn_protocols(["something"])
    with client(tls_address, client_tls, version) as theirs:
        assert theirs.selected_alpn_protocol() is None
        converse(pair, theirs)


@each_version
@pytest.mark.parametrize("how", ["shutdown", "close"])
def test_its_end_is_told(
    version: ssl.TLSVersion, how: str, open_socket: Opens, tls_address: str, client_tls: ssl.SSLContext
) -> None:
    pair = open_socket(SocketType.PAIR)
    endpoint = pair.bind(tls_address)
    with client(tls_address, client_tls, version) as theirs:
        converse(pair, theirs)
        pair.send(b"last")
        endpoint.shutdown() if how == "shutdown" else pair.close()
        assert read(theirs, 12) == frame(b"last")
        assert theirs.recv(1) == b""


@each_version
def test_the_end_of_the_other_side_is_heard(
    version: ssl.TLSVersion, open_socket: Opens, tls_address: str, client_tls: ssl.SSLContext
) -> None:
    pair = open_socket(SocketType.PAIR)
    pair.bind(tls_address)
    with client(tls_address, client_tls, version) as theirs:
        converse(pair, theirs)
        theirs.unwrap()  # an error unless it is answered in kind
        has_peers(pair, 0)
    with client(tls_address, client_tls, version) as theirs:
        converse(pair, theirs)


@each_version
def test_a_session_is_resumed(
    version: ssl.TLSVersion, open_socket: Opens, tls_address: str, client_tls: ssl.SSLContext
) -> None:
    pair = open_socket(SocketType.PAIR)
    pair.bind(tls_address)
    with client(tls_address, client_tls, version) as theirs:
        assert not theirs.session_reused
        converse(pair, theirs)
        session = theirs.session
        theirs.unwrap()
    has_peers(pair, 0)
    plain = os_socket.create_connection(("127.0.0.1", port_of(tls_address)), PATIENCE)
    with client_tls.wrap_socket(plain, server_hostname="localhost", session=session) as theirs:
        assert theirs.session_reused
        converse(pair, theirs)


class Server:
    """Takes connections one by one; tells which name each client has asked for."""

    def __init__(self, address: str, context: ssl.SSLContext) -> None:
        self.names: list[str | None] = []
        context.sni_callback = lambda _connection, name, _context: self.names.append(name)
        self.context = context
        self.listener = os_socket.socket()
        self.listener.setsockopt(os_socket.SOL_SOCKET, os_socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port_of(address)))
        self.listener.listen()
        self.listener.settimeout(PATIENCE)

    def next(self) -> ssl.SSLSocket:
        plain, _ = self.listener.accept()
        plain.settimeout(PATIENCE)
        return self.context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False)


@pytest.fixture
def server(tls_address: str, server_tls: ssl.SSLContext) -> Iterator[Server]:
    server = Server(tls_address, server_tls)
    yield server
    server.listener.close()


@each_version
def test_a_server_hears_what_tcp_has(
    version: ssl.TLSVersion, open_socket: Opens, tls_address: str, server: Server
) -> None:
    server.context.minimum_version = server.context.maximum_version = version
    pair = open_socket(SocketType.PAIR)
    pair.connect(tls_address)
    with server.next() as theirs:
        assert theirs.selected_alpn_protocol() is None
        converse(pair, theirs)
        pair.close()
        assert theirs.recv(1) == b""


@pytest.mark.parametrize(
    ("host", "name", "asked"),
    [
        ("localhost", None, "localhost"),
        ("LocalHost", None, "localhost"),
        ("127.0.0.1", None, None),
        ("localhost", "127.0.0.1", None),
        ("127.0.0.1", "localhost", "localhost"),
    ],
)
def test_a_server_is_asked_for_a_name(
    host: str, name: str | None, asked: str | None, open_socket: Opens, tls_address: str, server: Server
) -> None:
    pair = open_socket(SocketType.PAIR)
    if name:
        pair.set_option(nn.NN_TLS, nn.NN_TLS_NAME, name.encode())
    pair.connect(tls_address.replace("127.0.0.1", host))
    with server.next() as theirs:
        assert read(theirs, len(GREETING)) == GREETING
        assert [told and told.lower() for told in server.names] == [asked]


class OpenSsl:
    """Of what it prints nothing is lost."""

    def __init__(self, certificates: Path, *arguments: str) -> None:
        openssl = need("openssl", "apt-get install openssl")
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.process = subprocess.Popen([openssl, *arguments], cwd=certificates, **pipes)
        self.printed = b""
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        assert self.process.stdout
        while more := self.process.stdout.read1():
            self.printed += more

    def prints(self, what: bytes) -> None:
        eventually(lambda: what in self.printed)

    def sends(self, what: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(what)
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.thread.join()


@pytest.fixture
def openssl(certificates: Path) -> Iterator[Callable[..., OpenSsl]]:
    running: list[OpenSsl] = []

    def start(*arguments: str) -> OpenSsl:
        running.append(OpenSsl(certificates, *arguments))
        return running[-1]

    yield start
    for one in running:
        one.end()


def exchange(pair: Socket, theirs: OpenSsl) -> None:
    theirs.prints(GREETING)
    theirs.sends(GREETING)
    has_peers(pair, 1)
    pair.send(b"to openssl")
    theirs.prints(frame(b"to openssl"))
    # A newline would be made of two bytes, and a Q at the beginning of a line is an order.
    theirs.sends(frame(b"from openssl"))
    assert pair.recv() == b"from openssl"


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_connects(
    version: str, open_socket: Opens, tls_address: str, openssl: Callable[..., OpenSsl]
) -> None:
    pair = open_socket(SocketType.PAIR)
    pair.bind(tls_address)
    where = ["-connect", f"127.0.0.1:{port_of(tls_address)}", "-verify_hostname", "localhost"]
    theirs = openssl("s_client", *where, version, "-CAfile", "ca.pem", "-verify_return_error", "-quiet", "-msg")
    exchange(pair, theirs)
    pair.close()
    theirs.prints(b"close_notify")
    last = theirs.printed[: theirs.printed.index(b"close_notify")].splitlines()[-1]
    assert last.startswith(b"<<<")


def test_no_data_are_taken_before_the_handshake_ends(
    open_socket: Opens, tls_address: str, openssl: Callable[..., OpenSsl]
) -> None:
    open_socket(SocketType.PAIR).bind(tls_address)
    theirs = openssl("s_client", "-connect", f"127.0.0.1:{port_of(tls_address)}", "-tls1_3", "-CAfile", "ca.pem")
    theirs.prints(b"Max Early Data:")
    assert b"Max Early Data: 0\n" in theirs.printed


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_it_connects_to_openssl(
    version: str, host: str, open_socket: Opens, tls_address: str, openssl: Callable[..., OpenSsl]
) -> None:
    pair = open_socket(SocketType.PAIR)
    where = ["-accept", f"127.0.0.1:{port_of(tls_address)}", "-cert", "server.pem", "-key", "server.key"]
    theirs = openssl("s_server", *where, version, "-tlsextdebug", "-msg")
    pair.connect(tls_address.replace("127.0.0.1", host))
    exchange(pair, theirs)
    assert (b'extension "server name"' in theirs.printed) == (host == "localhost")
    pair.close()
    theirs.prints(b"close_notify")

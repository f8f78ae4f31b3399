"""What the tests of other people's WebSockets and TLS share.

The library is reached through the Python binding; `make web` sets the paths. A tool that is missing skips its tests,
and fails them where CI=true.
"""

from __future__ import annotations

import os
import shutil
import socket as os_socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bindings/python"))

from nanomsg_rs import Socket, SocketType, Statistic  # noqa: E402
from nanomsg_rs import constants as nn  # noqa: E402

PATIENCE = 20.0  # seconds after which what must happen is taken not to happen

#: Each type, and the one at the other end.
OTHER_END = {
    SocketType.PAIR: SocketType.PAIR,
    SocketType.PUB: SocketType.SUB,
    SocketType.SUB: SocketType.PUB,
    SocketType.REQ: SocketType.REP,
    SocketType.REP: SocketType.REQ,
    SocketType.PUSH: SocketType.PULL,
    SocketType.PULL: SocketType.PUSH,
    SocketType.SURVEYOR: SocketType.RESPONDENT,
    SocketType.RESPONDENT: SocketType.SURVEYOR,
    SocketType.BUS: SocketType.BUS,
}


def subprotocol(type: SocketType) -> str:
    """What a client asks a listening socket of this type for."""
    return f"{type.name.lower()}.sp.nanomsg.org"


def need(tool: str, why: str) -> str:
    found = shutil.which(tool)
    if not found:
        missing(f"{tool} is not installed: {why}")
    assert found
    return found


def missing(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, "it does not come to that"
        time.sleep(0.002)


def has_peers(socket: Socket, count: int) -> None:
    eventually(lambda: socket.statistic(Statistic.CURRENT_CONNECTIONS) == count)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that tests/pki.sh has filled."""
    need("openssl", "apt-get install openssl")
    folder = tmp_path_factory.mktemp("certificates")
    subprocess.run(["sh", str(ROOT / "tests/pki.sh"), str(folder)], check=True)
    return folder


@pytest.fixture
def client_tls(certificates: Path) -> ssl.SSLContext:
    """Trusts the authority of the tests alone."""
    return ssl.create_default_context(cafile=str(certificates / "ca.pem"))


@pytest.fixture
def server_tls(certificates: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    return context


@pytest.fixture
def open_socket(certificates: Path) -> Iterator[Callable[[SocketType], Socket]]:
    """Opens sockets that cannot hang a test."""
    sockets: list[Socket] = []

    def open(type: SocketType) -> Socket:
        socket = Socket(type)
        sockets.append(socket)
        socket.send_timeout = socket.recv_timeout = int(PATIENCE * 1000)
        socket.reconnect_interval = 10
        socket.set_option(nn.NN_TLS, nn.NN_TLS_CA, bytes(certificates / "ca.pem"))
        socket.set_option(nn.NN_TLS, nn.NN_TLS_CERT, bytes(certificates / "both.pem"))
        if type == SocketType.SUB:
            socket.subscribe(b"")
        return socket

    yield open
    for socket in sockets:
        socket.close()


@pytest.fixture(params=["ws", "wss"])
def scheme(request: pytest.FixtureRequest) -> str:
    return request.param


def _address(scheme: str) -> Iterator[str]:
    """A free one: the port is bound, and listened on by whoever sets SO_REUSEADDR."""
    with os_socket.socket() as port:
        port.setsockopt(os_socket.SOL_SOCKET, os_socket.SO_REUSEADDR, 1)
        port.bind(("127.0.0.1", 0))
        yield f"{scheme}://127.0.0.1:{port.getsockname()[1]}"


def _tls_address() -> Iterator[str]:
    yield from _address("tls+tcp")


tls_address = pytest.fixture(_tls_address, name="tls_address")
address = pytest.fixture(_address, name="address")
second_address = pytest.fixture(_address, name="second_address")

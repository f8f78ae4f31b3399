"""What the tests of other people's WebSockets share.

The library is reached through the Python binding; `make web` sets the paths. A tool that is missing skips its tests,
and fails them where CI=true.
"""

from __future__ import annotations

import os
import shutil
import socket as os_socket
import sys
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bindings/python"))

from nanomsg_rs import Socket, SocketType, Statistic  # noqa: E402

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


@pytest.fixture
def open_socket() -> Iterator[Callable[[SocketType], Socket]]:
    """Opens sockets that cannot hang a test."""
    sockets: list[Socket] = []

    def open(type: SocketType) -> Socket:
        socket = Socket(type)
        sockets.append(socket)
        socket.send_timeout = socket.recv_timeout = int(PATIENCE * 1000)
        socket.reconnect_interval = 10
        if type == SocketType.SUB:
            socket.subscribe(b"")
        return socket

    yield open
    for socket in sockets:
        socket.close()


def _address() -> Iterator[str]:
    """A free one: the port is bound, and listened on by whoever sets SO_REUSEADDR."""
    with os_socket.socket() as port:
        port.setsockopt(os_socket.SOL_SOCKET, os_socket.SO_REUSEADDR, 1)
        port.bind(("127.0.0.1", 0))
        yield f"ws://127.0.0.1:{port.getsockname()[1]}"


address = pytest.fixture(_address, name="address")
second_address = pytest.fixture(_address, name="second_address")

"""nng over tls+tcp and wss: PyPI's pynng, which has an mbedTLS of its own, and Debian's nngcat."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from conftest import OTHER_END, PATIENCE, has_peers, missing, need
from nanomsg_rs import Socket, SocketType
from nanomsg_rs import constants as nn

try:
    import pynng
except ImportError:
    pynng = None

Opens = Callable[[SocketType], Socket]

THEIRS = {
    SocketType.PAIR: "Pair0",
    SocketType.PUB: "Pub0",
    SocketType.SUB: "Sub0",
    SocketType.REQ: "Req0",
    SocketType.REP: "Rep0",
    SocketType.PUSH: "Push0",
    SocketType.PULL: "Pull0",
    SocketType.SURVEYOR: "Surveyor0",
    SocketType.RESPONDENT: "Respondent0",
    SocketType.BUS: "Bus0",
}

SENDING = (SocketType.PAIR, SocketType.PUB, SocketType.PUSH, SocketType.BUS)
ASKING = (SocketType.REQ, SocketType.SURVEYOR)
#: An empty message is an error of pynng's.
SIZES = [1, 125, 5000, 16384, 65536, 1000000]
#: Short ones, each way.
MANY = 1000


@pytest.fixture(params=["tls+tcp", "wss"])
def scheme(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def open_theirs(certificates: Path) -> Iterator[Callable[[SocketType, bool], Any]]:
    if pynng is None:
        missing("the Python package pynng is not installed: make web")
    sockets: list[Any] = []

    def open(type: SocketType, listens: bool) -> Any:
        socket = getattr(pynng, THEIRS[type])(send_timeout=int(PATIENCE * 1000), recv_timeout=int(PATIENCE * 1000))
        sockets.append(socket)
        socket.recv_max_size = 0
        if type == SocketType.SUB:
            socket.subscribe(b"")
        if listens:
            pem = (certificates / "both.pem").read_text()
            mode = pynng.TLSConfig.MODE_SERVER
            socket.tls_config = pynng.TLSConfig(mode, own_key_string=pem, own_cert_string=pem)
        else:
            # Its mbedTLS compares no IP addresses.
            mode, authority = pynng.TLSConfig.MODE_CLIENT, (certificates / "ca.pem").read_text()
            socket.tls_config = pynng.TLSConfig(mode, ca_string=authority, server_name="localhost")
        return socket

    yield open
    for socket in sockets:
        socket.close()


def converse(ours: Socket, theirs: Any) -> None:
    sized = [(b"0123456789" * (size // 10 + 1))[:size] for size in SIZES]
    for body in sized + [b"%d" % number for number in range(MANY)]:
        if ours.type in SENDING:
            ours.send(body)
            assert theirs.recv() == body
        if OTHER_END[ours.type] in SENDING:
            theirs.send(body)
            assert ours.recv() == body
        if ours.type in ASKING:
            ours.send(body)
            assert theirs.recv() == body
            theirs.send(b"answer")
            assert ours.recv() == b"answer"
        if OTHER_END[ours.type] in ASKING:
            theirs.send(body)
            assert ours.recv() == body
            ours.send(b"answer")
            assert theirs.recv() == b"answer"


@pytest.mark.parametrize("ours_binds", [True, False], ids=["we bind", "pynng binds"])
@pytest.mark.parametrize("type", OTHER_END, ids=lambda type: type.name)
def test_pynng_talks_to_each_type(
    type: SocketType,
    ours_binds: bool,
    scheme: str,
    address: str,
    open_socket: Opens,
    open_theirs: Callable[[SocketType, bool], Any],
) -> None:
    ours, theirs = open_socket(type), open_theirs(OTHER_END[type], not ours_binds)
    ours.recv_max_size = -1
    if ours_binds:
        ours.bind(address)
        theirs.dial(address, block=True)
    else:
        theirs.listen(address)
        ours.connect(address)
    has_peers(ours, 1)
    converse(ours, theirs)


@pytest.fixture
def nngcat(certificates: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        program = need("nngcat", "apt-get install nng-utils")
        pipe = subprocess.PIPE
        command = [program, *arguments, "--raw"]
        running.append(subprocess.Popen(command, cwd=certificates, stdout=pipe, stderr=pipe, text=True))
        return running[-1]

    yield start
    for one in running:
        one.kill()
        one.communicate()


def test_nngcat_asks(scheme: str, address: str, open_socket: Opens, nngcat: Callable[..., Any]) -> None:
    rep = open_socket(SocketType.REP)
    rep.bind(address)
    asks = nngcat("--req", "--dial", address.replace("127.0.0.1", "localhost"), "--cacert=ca.pem", "--data=ask")
    assert rep.recv() == b"ask"
    rep.send(b"answer")
    assert asks.stdout.read(6) == "answer"


def test_nngcat_takes_any_certificate(
    scheme: str, address: str, certificates: Path, open_socket: Opens, nngcat: Callable[..., Any]
) -> None:
    rep = open_socket(SocketType.REP)
    rep.set_option(nn.NN_TLS, nn.NN_TLS_CERT, bytes(certificates / "untrusted.pem"))
    rep.set_option(nn.NN_TLS, nn.NN_TLS_KEY, bytes(certificates / "untrusted.key"))
    rep.bind(address)
    there = address.replace("127.0.0.1", "localhost")
    trusting = nngcat("--req", "--dial", there, "--cacert=ca.pem", "--data=ask")
    assert trusting.wait(PATIENCE) != 0
    asks = nngcat("--req", "--dial", there, "--insecure", "--data=ask")
    assert rep.recv() == b"ask"
    rep.send(b"answer")
    assert asks.stdout.read(6) == "answer"


def test_nngcat_answers(scheme: str, address: str, open_socket: Opens, nngcat: Callable[..., Any]) -> None:
    answers = nngcat("--rep", "--listen", address, "--cert=server.pem", "--key=server.key", "--data=answer")
    req = open_socket(SocketType.REQ)
    req.connect(address)
    req.send(b"ask")
    assert req.recv() == b"answer"
    assert answers.stdout.read(3) == "ask"

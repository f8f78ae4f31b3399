"""The Python package websockets at the other end."""

from __future__ import annotations

import ssl
import threading
from contextlib import ExitStack
from typing import Any, Callable

import pytest
from conftest import OTHER_END, PATIENCE, has_peers, missing, subprotocol
from nanomsg_rs import Socket, SocketType
from nanomsg_rs import constants as nn

try:
    from websockets.exceptions import ConnectionClosed, InvalidStatus
    from websockets.sync.client import connect
    from websockets.sync.server import serve
except ImportError:
    missing_package = True
else:
    missing_package = False


Opens = Callable[[SocketType], Socket]
Greets = Callable[[str, SocketType], Any]


@pytest.fixture(autouse=True)
def _installed() -> None:
    if missing_package:
        missing("the Python package websockets is not installed: make web")


@pytest.fixture
def greet(scheme: str, client_tls: ssl.SSLContext) -> Greets:
    how = {"ssl": client_tls} if scheme == "wss" else {}

    def greet(address: str, type: SocketType) -> Any:
        return connect(address + "/any?thing", subprotocols=[subprotocol(type)], open_timeout=PATIENCE, **how)

    return greet


def converse(ours: Socket, theirs: Any) -> None:
    """Some messages as the types have them; the other side takes part in the protocol by hand."""
    has_peers(ours, 1)
    for size in [0, 1, 125, 126, 5000, 65535, 65536, 1000000]:
        body = bytes(i * 7 % 256 for i in range(256)) * (size // 256 + 1)
        body = body[:size]
        type = ours.type
        if type in (SocketType.PAIR, SocketType.BUS, SocketType.PULL, SocketType.SUB):
            theirs.send(body)
            assert ours.recv() == body
        if type in (SocketType.PAIR, SocketType.BUS, SocketType.PUSH, SocketType.PUB):
            ours.send(body)
            assert theirs.recv(timeout=PATIENCE) == body
        if type in (SocketType.REQ, SocketType.SURVEYOR):
            ours.send(body)
            request = theirs.recv(timeout=PATIENCE)
            assert request[0] & 0x80 and request[4:] == body
            theirs.send(request[:4] + b"answer")
            assert ours.recv() == b"answer"
        if type in (SocketType.REP, SocketType.RESPONDENT):
            theirs.send(b"\x80\x01\x02\x03" + body)
            assert ours.recv() == body
            ours.send(b"answer")
            assert theirs.recv(timeout=PATIENCE) == b"\x80\x01\x02\x03answer"


@pytest.mark.parametrize("type", OTHER_END, ids=lambda type: type.name)
def test_it_connects_to_each_type(type: SocketType, open_socket: Opens, address: str, greet: Greets) -> None:
    ours = open_socket(type)
    ours.bind(address)
    with greet(address, type) as theirs:
        assert theirs.subprotocol == subprotocol(type)
        converse(ours, theirs)
    has_peers(ours, 0)
    with greet(address, type) as theirs:
        converse(ours, theirs)


class Serving:
    """A server that hands its connections to the test; it echoes nothing by itself."""

    def __init__(self, address: str, type: SocketType, tls: ssl.SSLContext | None) -> None:
        self.connections: list[Any] = []
        self.came = threading.Semaphore(0)
        self.done = threading.Event()

        def handle(connection: Any) -> None:
            self.connections.append(connection)
            self.came.release()
            self.done.wait(PATIENCE * 3)

        port = int(address.rsplit(":", 1)[1])
        self.server = serve(handle, "127.0.0.1", port, subprotocols=[subprotocol(type)], ssl=tls)
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self) -> Serving:
        self.thread.start()
        return self

    def next(self) -> Any:
        assert self.came.acquire(timeout=PATIENCE), "nobody connects"
        return self.connections[-1]

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.server.shutdown()
        self.thread.join()


@pytest.mark.parametrize("type", OTHER_END, ids=lambda type: type.name)
def test_each_type_connects_to_it(
    type: SocketType, open_socket: Opens, address: str, scheme: str, server_tls: ssl.SSLContext
) -> None:
    ours = open_socket(type)
    ours.connect(address + "/path")
    with Serving(address, OTHER_END[type], server_tls if scheme == "wss" else None) as server:
        theirs = server.next()
        assert theirs.subprotocol == subprotocol(OTHER_END[type])
        assert theirs.request.path == "/path"
        converse(ours, theirs)
        # After a close handshake it comes again.
        theirs.close(1001)
        converse(ours, server.next())


def test_text_pieces_pings_and_a_close(open_socket: Opens, address: str, greet: Greets) -> None:
    pair = open_socket(SocketType.PAIR)
    pair.bind(address)
    pair.set_option(nn.NN_WS, nn.NN_WS_MSG_TYPE, nn.NN_WS_MSG_TYPE_TEXT)
    with greet(address, SocketType.PAIR) as theirs:
        pair.send("grüße".encode())
        assert theirs.recv(timeout=PATIENCE) == "grüße"
        theirs.send("zurück")
        assert pair.recv().decode() == "zurück"
        theirs.send(["in ", "", "pieces"])
        assert pair.recv() == b"in pieces"
        assert theirs.ping(b"there?").wait(PATIENCE)
        theirs.close(4321, "enough")
        assert theirs.close_code == 4321
    has_peers(pair, 0)


def test_what_is_too_large_is_told(open_socket: Opens, address: str, greet: Greets) -> None:
    pair = open_socket(SocketType.PAIR)
    pair.recv_max_size = 1000
    pair.bind(address)
    with greet(address, SocketType.PAIR) as theirs:
        theirs.send(b"x" * 1001)
        with pytest.raises(ConnectionClosed) as closed:
            theirs.recv(timeout=PATIENCE)
        assert closed.value.rcvd.code == 1009


def test_another_type_is_refused(open_socket: Opens, address: str, greet: Greets) -> None:
    open_socket(SocketType.PUB).bind(address)
    with pytest.raises(InvalidStatus) as refused:
        greet(address, SocketType.REP)
    assert refused.value.response.status_code == 400
    assert refused.value.response.reason_phrase == "Incompatible Socket Type"


def test_many_at_once_hear_a_publisher(open_socket: Opens, address: str, greet: Greets) -> None:
    publisher = open_socket(SocketType.PUB)
    publisher.bind(address)
    with ExitStack() as stack:
        theirs = [stack.enter_context(greet(address, SocketType.PUB)) for _ in range(30)]
        has_peers(publisher, 30)
        news = [b"news %d" % i for i in range(20)]
        for item in news:
            publisher.send(item)
        for client in theirs:
            assert [client.recv(timeout=PATIENCE) for _ in news] == news
    has_peers(publisher, 0)

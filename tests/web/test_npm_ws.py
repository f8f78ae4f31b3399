"""The npm package ws at the other end, in a node of its own."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from pathlib import Path
from typing import Callable, Iterator

import pytest
from conftest import OTHER_END, PATIENCE, has_peers, missing, need, subprotocol
from nanomsg_rs import Socket, SocketType

#: What an echo is an answer to.
ECHOED = [SocketType.PAIR, SocketType.BUS, SocketType.REQ, SocketType.SURVEYOR]
HEARING = [SocketType.PULL, SocketType.SUB, SocketType.BUS]


class Node:
    def __init__(self, certificates: Path, *arguments: str) -> None:
        node = need("node", "apt-get install nodejs npm")
        if not (Path(os.environ.get("WEB_MODULES", "/nonexistent")) / "node_modules/ws").exists():
            missing("the npm package ws is not installed: make web")
        command = [node, str(Path(__file__).with_name("peer.mjs")), *arguments]
        trusted, shown = str(certificates / "ca.pem"), str(certificates / "both.pem")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=dict(os.environ, NODE_EXTRA_CA_CERTS=trusted, CERTIFICATE=shown),
        )
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.put(line.strip())

    def says(self, expected: str) -> None:
        assert self.lines.get(timeout=PATIENCE) == expected

    def order(self, order: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def node(certificates: Path) -> Iterator[Callable[..., Node]]:
    nodes: list[Node] = []

    def start(*arguments: str) -> Node:
        nodes.append(Node(certificates, *arguments))
        return nodes[-1]

    yield start
    for node in nodes:
        node.end()


def meet(role: str, ours: Socket, address: str, node: Callable[..., Node], what: str) -> Node:
    """Ours binds and node connects, or the other way round."""
    listening = ours.type if role == "client" else OTHER_END[ours.type]
    if role == "client":
        ours.bind(address)
    theirs = node(role, address, subprotocol(listening), what)
    if role == "server":
        ours.connect(address)
    theirs.says(f"open {subprotocol(listening)}")
    has_peers(ours, 1)
    return theirs


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("type", ECHOED, ids=lambda type: type.name)
def test_what_it_echoes_comes_back(
    role: str, type: SocketType, open_socket: Callable[[SocketType], Socket], address: str, node: Callable[..., Node]
) -> None:
    ours = open_socket(type)
    theirs = meet(role, ours, address, node, "echo")
    for size in [0, 1, 125, 126, 5000, 65535, 65536, 1000000]:
        body = (b"0123456789" * (size // 10 + 1))[:size]
        ours.send(body)
        assert ours.recv() == body
    theirs.order("ping")
    theirs.says("pong there?")
    theirs.order("close")
    theirs.says("close 1000")
    if role == "server":
        theirs.says(f"open {subprotocol(OTHER_END[type])}")
        has_peers(ours, 1)
        ours.send(b"again")
        assert ours.recv() == b"again"
    else:
        has_peers(ours, 0)


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("type", HEARING, ids=lambda type: type.name)
def test_what_it_sends_is_heard(
    role: str, type: SocketType, open_socket: Callable[[SocketType], Socket], address: str, node: Callable[..., Node]
) -> None:
    ours = open_socket(type)
    meet(role, ours, address, node, "1000")
    assert [ours.recv() for _ in range(1000)] == [b"message %d" % i for i in range(1000)]

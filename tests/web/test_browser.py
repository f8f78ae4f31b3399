"""A page in a headless Chromium."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import urllib.parse
from pathlib import Path
from typing import Callable, Iterator

import pytest
from conftest import has_peers, need
from nanomsg_rs import Message, Socket, SocketType, WsMessageType

PAGE = Path(__file__).with_name("page.html")


@pytest.fixture(scope="session")
def accepted(certificates: Path) -> str:
    """The hash of the server's public key, as Chromium wants it."""
    key = ["openssl", "x509", "-in", str(certificates / "server.pem"), "-pubkey", "-noout"]
    public = subprocess.run(key, check=True, stdout=subprocess.PIPE).stdout
    der = ["openssl", "pkey", "-pubin", "-outform", "der"]
    encoded = subprocess.run(der, check=True, input=public, stdout=subprocess.PIPE).stdout
    return base64.b64encode(hashlib.sha256(encoded).digest()).decode()


@pytest.fixture
def browse(tmp_path: Path, accepted: str) -> Iterator[Callable[..., None]]:
    """Opens the page; what it reports comes over its PAIR."""
    browsers: list[subprocess.Popen[bytes]] = []

    def browse(**query: str) -> None:
        chromium = need("chromium", "apt-get install chromium")
        command = [
            chromium,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--ignore-certificate-errors-spki-list={accepted}",
            f"{PAGE.as_uri()}?{urllib.parse.urlencode(query)}",
        ]
        log = open(tmp_path / "chromium.log", "wb")
        environment = dict(os.environ, HOME=str(tmp_path))
        browsers.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True))
        log.close()

    yield browse
    for browser in browsers:
        browser.terminate()
        browser.wait()


@pytest.fixture
def pair(open_socket: Callable[[SocketType], Socket], address: str) -> Socket:
    pair = open_socket(SocketType.PAIR)
    pair.recv_timeout = pair.send_timeout = 60000  # a browser takes its time to start
    pair.recv_max_size = 10000000
    pair.bind(address)
    return pair


def order(pair: Socket, text: str) -> None:
    """As text, which is what the page takes for an order."""
    pair.send(Message(text.encode(), ws_message_type=WsMessageType.TEXT))


def test_a_page_shows_what_a_publisher_sends(
    browse: Callable[..., None],
    pair: Socket,
    address: str,
    second_address: str,
    open_socket: Callable[[SocketType], Socket],
) -> None:
    browse(pair=address)
    assert pair.recv() == b"open pair.sp.nanomsg.org "
    publisher = open_socket(SocketType.PUB)
    publisher.bind(second_address)
    order(pair, f"follow {second_address}/news")
    assert pair.recv() == b"open pub.sp.nanomsg.org"
    has_peers(publisher, 1)
    news = [f"headline {i}: <b>grüße</b>" for i in range(100)]
    for item in [*news, "the end"]:
        publisher.send(item.encode())
    assert pair.recv().decode().split("\n") == news
    publisher.close()
    assert pair.recv().startswith(b"closed ")


def test_a_page_talks_both_ways(
    browse: Callable[..., None],
    pair: Socket,
    address: str,
    second_address: str,
    open_socket: Callable[[SocketType], Socket],
) -> None:
    browse(pair=address)
    assert pair.recv() == b"open pair.sp.nanomsg.org "
    for size in [0, 1, 125, 126, 65535, 65536, 3000000]:
        body = (b"0123456789" * (size // 10 + 1))[:size]
        pair.send(body)
        assert pair.recv() == body
    order(pair, "large 5000000")
    assert pair.recv() == b"\x07" * 5000000
    order(pair, "text 100000")
    assert pair.recv().decode() == "ä" * 100000
    open_socket(SocketType.PUB).bind(second_address)
    order(pair, f"refused {second_address}")
    assert pair.recv() == b"refused"
    order(pair, "close")
    has_peers(pair, 0)


def test_a_page_needs_no_subprotocol_for_a_pair(browse: Callable[..., None], pair: Socket, address: str) -> None:
    browse(pair=address, plain="yes")
    assert pair.recv() == b"open  "
    pair.send(b"hello")
    assert pair.recv() == b"hello"

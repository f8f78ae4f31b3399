"""The web server of messages, end to end: each test starts its own on a free port."""

import collections
import http.client
import os
import re
import shutil
import socket as tcp
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import webworkers  # noqa: E402
from webworkers import Server  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def programs():
    webworkers.build()


@pytest.fixture
def start():
    servers = []
    with tempfile.TemporaryDirectory() as folder:

        def start(**how) -> Server:
            servers.append(Server(folder, **how))
            return servers[-1]

        yield start
        for server in servers:
            server.stop()


class Client:
    def __init__(self, server: Server) -> None:
        self.connection = http.client.HTTPConnection(server.http.split("/")[2], timeout=30)

    def ask(self, method: str = "GET", path: str = "/", body: bytes = b"") -> tuple:
        self.connection.request(method, path, body)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def worker(self) -> int:
        """Asks once; the number of the process that answered."""
        status, text = self.ask()
        assert status == 200, text
        return int(re.match(rb"worker (\d+),", text)[1])


def until_served_by(server: Server, workers: set) -> None:
    """Ask until each of these has answered. Without any worker yet, the front says 503."""
    client, heard = Client(server), set()
    for _ in range(200_000):
        status, text = client.ask()
        if status == 200:
            heard.add(int(re.match(rb"worker (\d+),", text)[1]))
        if heard >= workers:
            return
    raise AssertionError(f"only {heard} of {workers} have answered")


def shares(server: Server, count: int, clients: int = 8) -> collections.Counter:
    """Who answered so many requests, asked over several connections at once."""

    def ask(_) -> list:
        client = Client(server)
        return [client.worker() for _ in range(count // clients)]

    with ThreadPoolExecutor(clients) as pool:
        return collections.Counter(worker for some in pool.map(ask, range(clients)) for worker in some)


@pytest.mark.parametrize("over_tcp", [False, True])
@pytest.mark.parametrize("language", ["C", "Python"])
def test_requests_are_answered(start, language, over_tcp):
    server = start(over_tcp=over_tcp)
    worker = server.add_worker(language=language)
    until_served_by(server, {worker.pid})
    client = Client(server)
    for number in range(50):
        status, text = client.ask("GET", f"/page/{number}?a=b")
        assert status == 200
        assert f"GET /page/{number}?a=b" in text.decode()
    assert client.ask("HEAD", "/") == (200, b"")
    status, text = client.ask("POST", "/", b"x" * 100_000)
    assert status == 200
    assert language == "C" or text.endswith(b"x" * 100_000)


def test_answers_reach_the_connection_that_asked(start):
    server = start()
    workers = {server.add_worker().pid for _ in range(3)}
    until_served_by(server, workers)

    def ask(who: int) -> None:
        client = Client(server)
        for number in range(100):
            assert f"GET /{who}/{number}\n".encode() in client.ask("GET", f"/{who}/{number}")[1]

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(16)))


def test_nonsense_is_told_so_and_the_server_lives_on(start):
    server = start()
    assert Client(server).ask()[0] == 503  # no worker yet
    worker = server.add_worker()
    until_served_by(server, {worker.pid})
    host, port = server.http.split("/")[2].split(":")
    for nonsense in (b"hello\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"\0\xff\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000,
                     b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"):  # fmt: skip
        with tcp.create_connection((host, int(port)), timeout=30) as connection:
            try:
                connection.sendall(nonsense)
                assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
            except ConnectionResetError:
                pass  # it was told so while still talking
    with tcp.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET / HT")  # and leaves
    assert Client(server).worker() == worker.pid


def test_another_worker_takes_its_share(start):
    server = start()
    first = server.add_worker(1)
    until_served_by(server, {first.pid})
    assert shares(server, 200) == {first.pid: 200}
    second = server.add_worker(1, "C")
    until_served_by(server, {first.pid, second.pid})
    both = shares(server, 800)
    assert both.keys() == {first.pid, second.pid}
    assert min(both.values()) > 800 * 0.3, both


def test_killing_a_worker_loses_no_request(start):
    server = start()
    workers = [server.add_worker(2, "C") for _ in range(3)]
    until_served_by(server, {worker.pid for worker in workers})
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(shares, server, 2400, 16)
        until_served_by(server, {worker.pid for worker in workers})
        workers[0].kill()
        workers[0].wait()
        # Every single one was answered with 200, those in the dead worker's hands by another.
        assert sum(busy.result().values()) == 2400
    assert shares(server, 400).keys() == {worker.pid for worker in workers[1:]}


def test_more_workers_serve_more(start):
    if shutil.which("wrk") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("wrk is missing; make deps installs it")
        pytest.skip("wrk is missing")
    server = start()
    rates = []
    for count in (1, 4):
        while len(server.workers) < count:
            server.add_worker(10, "C")
        until_served_by(server, {worker.pid for worker in server.workers})
        rates.append(webworkers.load(server.http, 2, connections=16))
    print(f"\n1 worker {rates[0]:.0f}/s, 4 workers {rates[1]:.0f}/s")
    assert rates[1] > 2 * rates[0]

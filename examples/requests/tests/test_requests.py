"""Two programs with several threads each, and an ordinary REQ, at one lock server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[1]
TOP = HERE.parents[1]
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(TOP / "bindings" / "python"),
    "PYTHONDONTWRITEBYTECODE": "1",
    "NANOMSG_LIBRARY": os.environ.get("NANOMSG_LIBRARY", str(TOP / "target" / "lib" / "libnanomsg.so.6")),
}
sys.path.insert(0, ENVIRONMENT["PYTHONPATH"])


def start(program, *arguments):
    return subprocess.Popen([sys.executable, str(HERE / program), *map(str, arguments)], env=ENVIRONMENT)


@pytest.fixture
def server(tmp_path):
    address = f"ipc://{tmp_path}/locks"
    process = start("locks.py", address)
    yield address
    process.kill()
    process.wait()


def test_nobody_counts_at_the_same_time(server, tmp_path):
    number = tmp_path / "number"
    number.write_text("0")
    counting = [start("count.py", server, number, 8, 25) for _ in range(2)]
    assert [process.wait(60) for process in counting] == [0, 0]
    assert number.read_text() == "400"


def test_an_ordinary_client_waits_for_its_lock(server):
    from nanomsg_rs import Socket, SocketType, Timeout

    with Socket(SocketType.REQ) as first, Socket(SocketType.REQ) as second:
        for client in (first, second):
            client.recv_timeout = 10_000
            client.connect(server)

        def ask(client, text):
            client.send(text)
            return client.recv()

        assert ask(first, b"acquire door 1") == b"yours"
        assert ask(first, b"acquire door 1") == b"yours", "asked again"
        assert ask(second, b"acquire window 2") == b"yours"
        second.send(b"acquire door 2")
        assert ask(first, b"release window 1") == b"ok", "not its own: nothing happens"
        second.recv_timeout = 10
        with pytest.raises(Timeout):
            second.recv()
        second.recv_timeout = 10_000
        assert ask(first, b"release door 1") == b"ok"
        assert second.recv() == b"yours"
        for nonsense in (b"", b"acquire", b"acquire a", b"give a b", b"acquire a b c"):
            assert ask(first, nonsense).startswith(b"error: ")

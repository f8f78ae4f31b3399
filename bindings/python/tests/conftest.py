"""What the tests share: fresh addresses, sockets that cannot hang a test, and waiting."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import signal
import socket as os_socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

from nanomsg_rs import AF_SP, NanomsgError, Socket, SocketType, Statistic
from nanomsg_rs import constants as nn

# A shell without job control starts background commands with SIGINT ignored, which programs started here would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

PATIENCE = 10.0  # seconds after which what must happen is taken not to happen
_counter = itertools.count()


def _free_port() -> int:
    with os_socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def free_port() -> int:
    return _free_port()


TRANSPORTS = ["inproc", "unix", "ipc", "abstract", "tcp", "ws"]
TLS = ["tls+tcp", "wss"]


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return usable(request.param)


def usable(transport: str) -> str:
    """The transport, which the library under test has, or the test is skipped."""
    if transport == "unix" and "NN_UNIX" not in nn.SYMBOLS:
        pytest.skip("this library does not know unix, which upstream has since 1.3.0")
    if transport == "abstract" and (sys.platform != "linux" or "NN_ENDPOINT" not in nn.SYMBOLS):
        pytest.skip("no abstract addresses here")
    if transport in TLS and "NN_TLS" not in nn.SYMBOLS:
        pytest.skip("this library has no TLS")
    return transport


@pytest.fixture
def new_address(transport: str, tmp_path: Path) -> Callable[[], str]:
    """Makes addresses of the transport under test that nobody uses."""

    def make() -> str:
        if transport in ("tcp", "ws", *TLS):
            return f"{transport}://127.0.0.1:{_free_port()}"
        if transport in ("unix", "ipc"):
            return f"{transport}://{tmp_path}/{next(_counter)}"
        if transport == "abstract":
            return f"abstract://test-{os.getpid()}-{next(_counter)}"
        return f"inproc://test-{next(_counter)}"

    return make


@pytest.fixture
def address(new_address: Callable[[], str]) -> str:
    return new_address()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what tests/pki.sh makes."""
    if shutil.which("openssl") is None:
        assert os.environ.get("CI") != "true", "openssl is not installed"
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")
    script = Path(__file__).resolve().parents[3] / "tests" / "pki.sh"
    subprocess.run(["sh", script, folder], check=True)
    return folder


@pytest.fixture
def secured(request: pytest.FixtureRequest) -> Callable[[Socket], None]:
    """Makes a socket trust the tests' authority, and gives it a certificate of its own, where the test is of TLS."""
    if "transport" not in request.fixturenames or request.getfixturevalue("transport") not in TLS:
        return lambda socket: None
    folder: Path = request.getfixturevalue("certificates")

    def secure(socket: Socket) -> None:
        socket.tls_ca, socket.tls_cert = folder / "ca.pem", folder / "both.pem"

    return secure


@pytest.fixture
def open_socket(secured: Callable[[Socket], None]) -> Iterator[Callable[..., Socket]]:
    """Opens sockets that are closed after the test, and whose waiting ends in Timeout."""
    opened: list[Socket] = []

    def open_one(type: SocketType = SocketType.PAIR, domain: int = AF_SP) -> Socket:
        try:
            socket = Socket(type, domain)
        except NanomsgError as failure:
            if failure.errno == errno.EINVAL:
                pytest.skip(f"the library has no {type.name} sockets yet")
            raise
        opened.append(socket)
        socket.send_timeout = socket.recv_timeout = int(PATIENCE * 1000)
        secured(socket)
        return socket

    yield open_one
    for socket in opened:
        socket.close()


@pytest.fixture
def pair(open_socket: Callable[..., Socket], address: str) -> tuple[Socket, Socket]:
    """Two PAIR sockets connected over the transport under test; the first one is bound."""
    bound, connected = open_socket(), open_socket()
    bound.bind(address)
    connected.connect(address)
    wait_for_connections(bound, 1)
    wait_for_connections(connected, 1)
    return bound, connected


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Returns once the condition holds, and fails the test if it does not in PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not in {PATIENCE:.0f} s: {what}"
        pause.wait(0.001)


def wait_for_connections(socket: Socket, count: int) -> None:
    eventually(
        lambda: socket.statistic(Statistic.CURRENT_CONNECTIONS) == count,
        f"{socket!r} has {count} connections",
    )


def wait_until_blocked(process: int | str, task: int) -> None:
    """Returns once that thread sleeps in the kernel and goes on sleeping.

    A test that calls this is right without it too; it makes sure that the call under test
    is met while it waits, and not just before.
    """
    status = Path(f"/proc/{process}/task/{task}/status")
    if not status.exists():
        return  # not Linux, or the thread has ended and the test will tell
    seen: list[str] = []

    def unmoved() -> bool:
        lines = status.read_text().splitlines()
        seen.append("".join(line for line in lines if line.startswith(("State", "vol", "nonvol"))))
        return "S (sleeping)" in seen[-1] and len(seen) > 5 and len(set(seen[-5:])) == 1

    eventually(unmoved, "the thread is blocked")


class Background(threading.Thread):
    """Runs a function in a thread; ``result`` gives what it returned or raises what it raised."""

    def __init__(self, function: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._function = function
        self._failure: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as failure:
            self._failure = failure

    def result(self) -> object:
        self.join(PATIENCE)
        assert not self.is_alive(), "the thread is still blocked"
        if self._failure is not None:
            raise self._failure
        return self._value

    def wait_until_blocked(self) -> None:
        wait_until_blocked("self", self.native_id)


@pytest.fixture
def start_program() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts Python programs given as text, with the package importable; none outlives the test."""
    running: list[subprocess.Popen[str]] = []

    def start(text: str) -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [sys.executable, "-c", text],
            cwd=Path(__file__).resolve().parent.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(program)
        return program

    yield start
    for program in running:
        if program.poll() is None:
            program.kill()
        program.communicate()

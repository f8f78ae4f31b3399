"""The view of a network: on a terminal, in a pipe, once, and in a browser; of sockets in every language of the ticks."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent.parent
sys.path[:0] = [str(HERE.parent), str(EXAMPLES / "ticks"), str(EXAMPLES / "ticks" / "tests")]

import browser  # noqa: E402
import monitor  # noqa: E402
import ticks  # noqa: E402
from nanomsg_rs import Socket, SocketType  # noqa: E402
from nanomsg_rs import constants as nn  # noqa: E402
from nanomsg_rs.reporting import Reporter  # noqa: E402
from network import Network, size  # noqa: E402

PROGRAM = str(HERE.parent / "monitor.py")
LIMIT = 30  # seconds for whatever is waited for
OFTEN = 0.05  # seconds between reports


def needed(tool: str) -> None:
    """A tool that is missing is a failure in CI and a visible skip elsewhere."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{tool} is missing; make deps installs it")
    pytest.skip(f"{tool} is missing")


class Traffic:
    """Two sockets over tcp, and messages from one to the other all the time."""

    def __init__(self, *addresses: str) -> None:
        self.out, self.into = Socket(SocketType.PUSH), Socket(SocketType.PULL)
        self.out.name, self.into.name = "sender", "receiver"
        self.reporter = Reporter([self.out, self.into], *addresses, interval=OFTEN)
        self.out.connect(self.into.bind("tcp://127.0.0.1:0").address)
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=work) for work in (self._send, self._receive)]
        for thread in self.threads:
            thread.start()

    def _send(self) -> None:
        while not self.ended.wait(0.001):
            self.out.send(b"x" * 100)
        self.out.send(b"")

    def _receive(self) -> None:
        while self.into.recv():
            pass

    def __enter__(self) -> "Traffic":
        return self

    def __exit__(self, *_) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()
        self.reporter.close()
        self.out.close()
        self.into.close()


@pytest.fixture
def start():
    """Starts monitor.py; it does not outlive the test."""
    started = []

    def start(*arguments: str) -> subprocess.Popen:
        program = subprocess.Popen([sys.executable, PROGRAM, *arguments], stdout=subprocess.PIPE, text=True)
        started.append(program)
        return program

    yield start
    for program in started:
        program.kill()
        program.communicate()


def line_with(program: subprocess.Popen, *words: str) -> str:
    """The next line with these words, or the test ends after LIMIT."""
    alarm = threading.Timer(LIMIT, program.kill)
    alarm.start()
    try:
        for line in program.stdout:
            if all(word in line for word in words):
                return line
    finally:
        alarm.cancel()
    raise AssertionError(f"no line with {words}")


def run_once(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, PROGRAM, "--once", *arguments], capture_output=True, text=True, timeout=LIMIT
    )  # fmt: skip


def test_once_prints_one_picture_with_rates(tmp_path):
    with Traffic(f"ipc://{tmp_path}/here.monitor") as traffic:
        for place, name in ((f"{tmp_path}/here.monitor", "here"), (f"there=ipc://{tmp_path}/here.monitor", "there")):
            done = run_once(place)
            assert done.returncode == 0, done
            lines = done.stdout.splitlines()
            receiver, bound, sender_peer, sender, connected, receiver_peer = lines[:6]
            assert receiver.startswith(name) and sender.startswith(name)
            assert re.search(r"receiver +pull +in [1-9][0-9,]*/s [0-9.]+ kB/s +out 0/s 0 B/s +connections 1", receiver)
            assert re.search(r"sender +push +in 0/s 0 B/s +out [1-9][0-9,]*/s [0-9.]+ kB/s +connections 1", sender)
            assert re.match(r"  bind +tcp://127.0.0.1:\d+   connections 1$", bound)
            assert re.match(r"  connect +tcp://127.0.0.1:\d+   connections 1$", connected)
            for peer, type in ((sender_peer, "push"), (receiver_peer, "pull")):
                assert re.match(rf"    127.0.0.1:\d+ +{type} .* queued in .* out .* rtt [0-9.]+ ms$", peer)
        assert not traffic.ended.is_set()


def test_once_says_who_does_not_report(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(monitor, "PATIENCE", 0.1)
    places = [monitor.place(f"{tmp_path}/nobody.monitor")]
    ears = monitor.Ears(places)
    try:
        assert monitor.once(ears, Network(), places) == 1
    finally:
        ears.close()
    assert capsys.readouterr().err.startswith("nobody has not reported")


def test_in_a_pipe_what_is_new_is_a_line(start, tmp_path):
    with Traffic(f"ipc://{tmp_path}/a") as traffic:
        program = start(f"{tmp_path}/a")
        line_with(program, "sender", "push")
        # It listens: what happens from now on is there.
        endpoint = traffic.into.bind("inproc://monitor-test")
        assert line_with(program, "receiver listening").rstrip().endswith("a receiver listening inproc://monitor-test")
        endpoint.shutdown()
        line_with(program, "receiver closed inproc://monitor-test")
        program.send_signal(signal.SIGINT)
        assert program.wait(LIMIT) == 0


def test_a_socket_alone_can_be_watched(start, tmp_path):
    """NN_MONITOR without a reporter: there are events and no statistics."""
    socket = Socket(SocketType.REP)
    try:
        socket.set_option(0, nn.NN_MONITOR, f"ipc://{tmp_path}/m".encode())
        program = start(f"me={tmp_path}/m")
        heard = threading.Event()
        line = []
        reader = threading.Thread(target=lambda: (line.append(line_with(program, " me ")), heard.set()))
        reader.start()
        while not heard.wait(0.01):  # until it has subscribed
            socket.bind("inproc://monitor-alone").shutdown()
        reader.join()
        assert "inproc://monitor-alone" in line[0]
    finally:
        socket.close()


def test_on_a_terminal_the_picture_is_kept_up_to_date(tmp_path):
    with Traffic(f"ipc://{tmp_path}/a") as traffic:
        process, terminal = pty.fork()
        if process == 0:
            os.environ |= {"COLUMNS": "150", "LINES": "30"}
            os.execv(sys.executable, [sys.executable, PROGRAM, f"{tmp_path}/a"])
        shown = b""
        try:
            shown = read_until(terminal, shown, rb"sender +push .*out [1-9]")
            traffic.into.bind("inproc://monitor-terminal")
            shown = read_until(terminal, shown, rb"listening inproc://monitor-terminal")
            os.kill(process, signal.SIGINT)
            shown = read_until(terminal, shown, rb"\x1b\[\?25h\x1b\[\?1049l")
            assert shown.startswith(b"\x1b[?1049h\x1b[?25l")
        finally:
            os.close(terminal)
            if os.waitpid(process, os.WNOHANG)[0] == 0:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)


def read_until(terminal: int, shown: bytes, wanted: bytes) -> bytes:
    end = time.monotonic() + LIMIT
    while not re.search(wanted, shown):
        assert select.select([terminal], [], [], max(0, end - time.monotonic()))[0], shown[-3000:]
        shown += os.read(terminal, 65536)
    return shown


def test_where_a_terminal_is_small_connections_give_way_first(monkeypatch):
    network = Network()
    for name in ("a", "b", "c"):
        network.take("p", statistics(name, 1, 1))
    for rows, kept in ((40, 9), (12, 9), (11, 6), (9, 6), (8, 3), (5, 2)):
        monkeypatch.setattr(monitor.shutil, "get_terminal_size", lambda: (200, rows))
        lines = monitor.picture(network).splitlines()[1:]
        assert (len(lines), lines[0].split()[:2]) == (kept, ["p", "a"]), rows
    for _ in range(20):
        network.take("p", 'connected {"event":"connected","time_ns":1,"socket":"a","type":"pair"}')
    for rows in (40, 20, 14, 12):
        monkeypatch.setattr(monitor.shutil, "get_terminal_size", lambda: (200, rows))
        picture = monitor.picture(network)
        assert len(picture.splitlines()) <= rows - 1
        assert picture.count(" connected") >= 8


def statistics(socket: str, sent: int, seconds: int, **changed) -> str:
    traffic = {"messages_sent": sent, "bytes_sent": sent * 10, "messages_received": 0, "bytes_received": 0}
    told = {
        "socket": socket, "type": "pair", "raw": False, "time_ns": 0, "monotonic_ns": seconds * 10**9,
        "counters": {**traffic, "current_connections": 1},
        "endpoints": [{"id": 1, "address": "tcp://*:1", "kind": "bind", "connections": 1, "connected": 1, "failed": 0}],
        "connections": [{"endpoint": 1, "peer": {"pipe": 1}, **traffic, "send_queue_bytes": 0, "recv_queue_bytes": 0}],
    }  # fmt: skip
    return f"statistics {json.dumps(told | changed)}"


def test_rates_are_those_between_two_reports():
    network = Network()
    assert " out - " in network.take("p", statistics("a", 10, 1))[0]
    socket, _, connection = network.take("p", statistics("a", 30, 3))
    assert "out 10/s 100 B/s" in socket and "out 10/s 100 B/s" in connection
    # A program that has started anew begins to count anew.
    assert "out 0/s 0 B/s" in network.take("p", statistics("a", 5, 4))[0]
    # Of the same name in another process.
    assert " out - " in network.take("q", statistics("a", 5, 4))[0]
    assert len([line for line in network.lines(0) if not line.startswith(" ")]) == 2


def test_losses_and_errors_are_told():
    counters = {"messages_sent": 0, "bytes_sent": 0, "messages_received": 0, "bytes_received": 0, "current_connections": 0}
    counters |= {"messages_overflowed": 1234, "messages_filtered": 0, "messages_conflated": 5}
    endpoint = {"id": 1, "address": "tcp://x:1", "kind": "connect", "connections": 0, "connected": 0, "failed": 7,
                "errno": 111, "error": "Connection refused"}  # fmt: skip
    socket, failing = Network().take("p", statistics("a", 0, 1, counters=counters, endpoints=[endpoint], connections=[]))
    assert socket.endswith("overflowed 1,234 conflated 5")
    assert failing.endswith("failed 7   Connection refused")


def test_closed_and_silent_sockets_are_marked_and_then_left_out(monkeypatch):
    network, now = Network(), time.monotonic()
    network.take("p", statistics("a", 0, 1))
    network.take("p", statistics("b", 0, 1))
    network.take("p", 'monitor_stopped {"event":"monitor_stopped","time_ns":1,"socket":"a","type":"pair"}')
    monkeypatch.setattr(time, "monotonic", lambda: now + 5)
    lines = [line for line in network.lines(0) if not line.startswith(" ")]
    assert lines[0].endswith("closed") and lines[1].endswith("silent for 5 s")
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    assert network.lines(0) == []


def test_sizes_have_three_digits_or_so():
    texts = [size(octets) for octets in (0, 999, 1000, 25_432, 254_321, 999_999, 7.5e6, 2e12)]
    assert texts == ["0 B", "999 B", "1.0 kB", "25.4 kB", "254 kB", "1000 kB", "7.5 MB", "2000 GB"]


@pytest.fixture
def chromium():
    program = browser.find()
    if program is None:
        needed("chromium")
    chromium = browser.Browser(program)
    yield chromium
    chromium.close()


def cells(row: int) -> str:
    return f"[...document.querySelectorAll('tbody tr')[{row}].cells].map(cell => cell.textContent)"


def test_the_page_shows_reporters_that_it_reaches_itself(chromium):
    with Traffic("ws://127.0.0.1:0") as traffic:
        [address] = traffic.reporter.addresses
        chromium.open(f"file://{HERE.parent}/page.html?{address}")
        chromium.until(f"parseInt({cells(0)}[2]) > 0")
        assert chromium.evaluate("document.querySelectorAll('tbody tr').length") == 6
        assert chromium.evaluate(cells(0))[0:2] == [" receiver", "pull"]
        assert chromium.evaluate(cells(1))[0].startswith("bind tcp://127.0.0.1:")
        chromium.until(f"{cells(2)}[0].startsWith('127.0.0.1:') && {cells(2)}[8].endsWith('ms')")
        traffic.into.bind("inproc://monitor-page")
        chromium.until("document.getElementById('events').textContent.includes('listening inproc://monitor-page')")
        chromium.until("document.querySelectorAll('tbody tr').length === 7")


@pytest.fixture
def network(tmp_path_factory):
    ticks.build()
    network = ticks.Network(tmp_path_factory.mktemp("n"), monitored=True)
    try:
        network.start()
        assert network.ask("feed", "rate 2000") == "ok"
        assert network.ask("feed", "start") == "ok"
        yield network
    finally:
        network.stop()


SOCKETS = {
    ("feed", "feed.out"), ("feed", "feed.control"), ("average", "average.in"), ("average", "average.out"),
    ("spread", "spread.in"), ("spread", "spread.out"), ("statistics", "statistics.in"),
    ("statistics", "statistics.control"), ("combiner", "device1.in"), ("combiner", "device1.out"),
    ("combiner", "device2.in"), ("combiner", "device2.out"), ("movers", "movers.in"),
    ("crossings", "crossings.in"), ("snapshot", "snapshot.in"),
}  # fmt: skip


def expected(network: ticks.Network) -> set:
    return {socket for socket in SOCKETS if socket[0] in network.commands}


def test_every_socket_of_the_ticks_is_seen(network):
    """In C, Rust, C++ and Python, cooked and raw."""
    done = run_once(*(f"{name}={address}" for name, address in network.monitors.items()))
    assert done.returncode == 0, done
    sockets = [line.split() for line in done.stdout.splitlines() if line and not line.startswith(" ")]
    assert {tuple(words[:2]) for words in sockets if ":" not in words[0]} == expected(network)
    [feed] = [line for line in done.stdout.splitlines() if "feed.out" in line]
    rate = float(re.search(r" out ([0-9,]+)/s", feed)[1].replace(",", ""))
    assert 1000 < rate < 4000, feed
    assert "connections 4" in feed


def test_the_page_shows_the_ticks_and_notices_an_end(network, chromium, start):
    program = start("--page", *(f"{name}={address}" for name, address in network.monitors.items()))
    chromium.open(line_with(program, "http://").strip())
    names = "[...document.querySelectorAll('tr.socket')].map(row => row.cells[0].textContent)"
    chromium.until(f"{names}.length === {len(expected(network))}")
    assert {tuple(name.split()) for name in chromium.evaluate(names)} == expected(network)
    rate = "parseInt([...document.querySelectorAll('tr.socket')].find(row =>"
    rate += " row.cells[0].textContent === 'feed feed.out').cells[4].textContent.replace(',', ''))"
    chromium.until(f"{rate} > 1000 && {rate} < 4000")
    network.running["average"].kill()
    chromium.until("/combiner device1.in disconnected .*average/.test(document.getElementById('events').textContent)")
    chromium.until(f"{names}.some(name => name.startsWith('average average.out silent'))")
    network.running["average"].wait()
    network.mend()
    chromium.until(f"{names}.includes('average average.out')")
    if picture := os.environ.get("MONITOR_SCREENSHOT"):
        chromium.call("Emulation.setDeviceMetricsOverride", width=1160, height=560, deviceScaleFactor=1, mobile=False)
        chromium.until("/combiner device1.in connected/.test(document.getElementById('events').textContent)")
        chromium.screenshot(picture)

"""Signals during blocking calls: handlers run at once, and the call goes on for the time left.

The timers repeat, so that a signal that arrives just before the call blocks is followed by one
that meets it blocked.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Iterator

import pytest
from conftest import PATIENCE, Background, eventually, wait_for_connections, wait_until_blocked

from nanomsg_rs import POLLIN, BadSocket, Replies, Requests, SocketType, Timeout, poll

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no signals")

INTERVAL = 0.02  # seconds
TIMEOUT = 200  # ms, many intervals long


@contextmanager
def ticking(handler: Callable[[int], None]) -> Iterator[None]:
    """Interrupts the main thread again and again; the handler is told how often so far."""
    count = 0

    def handle(number: int, frame: object) -> None:
        nonlocal count
        count += 1
        assert count * INTERVAL < PATIENCE, "the call never ends"
        handler(count)

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, INTERVAL, INTERVAL)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Stop(Exception):
    """Raised by the handlers of these tests."""


def stop(count: int) -> None:
    raise Stop


@pytest.mark.parametrize("call", ["recv", "send", "poll"])
def test_signals_do_not_prolong_a_timeout(open_socket, address, call):
    lonely = open_socket()
    lonely.bind(address)
    lonely.recv_timeout = lonely.send_timeout = TIMEOUT
    ticks = []
    started, busy_before = time.monotonic(), time.process_time()
    with ticking(ticks.append):
        if call == "poll":
            assert poll([(lonely, POLLIN)], TIMEOUT) == []
        else:
            with pytest.raises(Timeout):
                lonely.recv() if call == "recv" else lonely.send(b"to nobody")
    assert time.monotonic() - started >= TIMEOUT / 1000
    assert len(ticks) > 1
    assert time.process_time() - busy_before < TIMEOUT / 2000  # it waited, and did not spin


@pytest.mark.parametrize("timeout", [-1, 10_000])
def test_a_receiver_gets_what_arrives_after_a_signal(pair, timeout):
    bound, connected = pair
    bound.recv_timeout = timeout

    def send_at_third(count: int) -> None:
        if count == 3:
            connected.send(b"from the handler")

    with ticking(send_at_third):
        assert bound.recv() == b"from the handler"


def test_a_subscriber_waits_on_after_a_signal_and_an_unwanted_message(open_socket, address):
    pub, sub = open_socket(SocketType.PUB), open_socket(SocketType.SUB)
    pub.bind(address)
    sub.connect(address)
    sub.subscribe(b"wanted")
    wait_for_connections(pub, 1)

    def publish(count: int) -> None:
        pub.send(b"unwanted" if count < 6 else b"wanted")

    with ticking(publish):
        assert sub.recv() == b"wanted"


@pytest.mark.parametrize("timeout", [-1, 10_000])
def test_a_sender_meets_the_peer_that_comes_after_a_signal(open_socket, address, timeout):
    sender, receiver = open_socket(), open_socket()
    sender.bind(address)
    sender.send_timeout = timeout

    def connect_at_third(count: int) -> None:
        if count == 3:
            receiver.connect(address)

    with ticking(connect_at_third):
        sender.send(bytearray(b"waited for you"))
    assert receiver.recv() == b"waited for you"


@pytest.mark.parametrize("timeout", [-1, 10_000])
def test_a_handler_that_raises_ends_the_call(pair, timeout):
    bound, connected = pair
    bound.recv_timeout = timeout
    with pytest.raises(Stop), ticking(stop):
        bound.recv()
    connected.send(b"still working")
    assert bound.recv() == b"still working"


def test_a_handler_that_raises_ends_poll(pair):
    bound, _ = pair
    with pytest.raises(Stop), ticking(stop):
        bound.poll(POLLIN)


@pytest.mark.parametrize("timeout", [-1, 10_000])
def test_a_handler_may_close_the_socket(pair, timeout):
    bound, _ = pair
    bound.recv_timeout = timeout
    with ticking(lambda count: bound.close()), pytest.raises(BadSocket):
        bound.recv()


INTERRUPTIBLE = """
from nanomsg_rs import Socket, SocketType
with Socket(SocketType.PAIR) as socket:
    socket.bind({address!r})
    try:
        print("ready", flush=True)
        socket.recv()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ctrl_c_ends_a_blocked_receive(start_program, new_address):
    program = start_program(INTERRUPTIBLE.format(address=new_address()))
    assert program.stdout.readline() == "ready\n"
    wait_until_blocked(program.pid, program.pid)
    program.send_signal(signal.SIGINT)
    output, errors = program.communicate(timeout=PATIENCE)
    assert (output, errors, program.returncode) == ("interrupted\n", "", 0)


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize("transport", ["inproc"])
def test_a_handler_that_raises_ends_a_request_and_no_other(address, reads):
    """Whether its thread reads for all, or sleeps while another one does."""
    with Replies(address) as replies, Requests(address) as requests:
        first = None if reads else Background(lambda: requests.ask(b"first"))
        kept = replies.recv() if first else None
        eventually(lambda: requests._reading == bool(first), "another thread reads, or none")
        ticks = []

        def at_third(count: int) -> None:
            ticks.append(count)
            if count == 3:
                raise Stop

        with ticking(at_third):
            with pytest.raises(Stop):
                requests.ask(b"interrupted")
        assert len(ticks) >= 3
        assert requests._reading == bool(first)
        assert len(requests._outstanding) == bool(first)
        if first and kept:
            kept.reply(b"done")
            assert first.result() == b"done"

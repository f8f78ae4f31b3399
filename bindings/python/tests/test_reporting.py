"""The reporter: events and statistics of sockets at an address."""

from __future__ import annotations

import json
import time
from typing import Any, Callable

import pytest

from conftest import PATIENCE, eventually
from nanomsg_rs import NanomsgError, Socket, SocketType
from nanomsg_rs import constants as nn
from nanomsg_rs.reporting import Reporter

pytestmark = pytest.mark.skipif("NN_STATISTICS" not in nn.SYMBOLS, reason="only libnanomsg-rs has NN_STATISTICS")

OFTEN = 0.02  # seconds between reports

Open = Callable[..., Socket]


def heard(listener: Socket) -> tuple[str, dict[str, Any]]:
    name, _, text = listener.recv().partition(b" ")
    return name.decode(), json.loads(text)


def listen(open_socket: Open, address: str) -> Socket:
    listener = open_socket(SocketType.SUB)
    listener.subscribe(b"")
    listener.connect(address)
    return listener


def until(listener: Socket, wanted: str, true: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while True:
        name, what = heard(listener)
        if name == wanted and true(what):
            return what
        assert time.monotonic() < deadline, f"no such {wanted} comes"


def test_a_document_is_whole_however_long_it_is(open_socket: Open) -> None:
    socket = open_socket(SocketType.PUSH)
    socket.name = "much"
    for number in range(100):
        socket.bind(f"inproc://document-{number}")
    told = socket.report()
    assert (told["socket"], told["type"], len(told["endpoints"])) == ("much", "push", 100)


def test_statistics_and_events_come_from_one_address(pair: tuple[Socket, Socket], open_socket: Open) -> None:
    one, other = pair
    one.name, other.name = "one", "other"
    with Reporter([one, other], "tcp://127.0.0.1:0", interval=OFTEN) as reporter:
        [address] = reporter.addresses
        assert not address.endswith(":0")
        listener = listen(open_socket, address)
        other.send(b"12345")
        assert one.recv() == b"12345"
        counted = lambda told: told["socket"] == "one" and told["counters"]["bytes_received"] == 5  # noqa: E731
        assert until(listener, "statistics", counted)["type"] == "pair"
        other.close()
        assert until(listener, "monitor_stopped")["socket"] == "other"
        gone = lambda told: told["socket"] == "one" and not told["connections"]  # noqa: E731
        until(listener, "statistics", gone)
    # It says when it ends, and leaves the socket as it was.
    assert one.get_option(0, nn.NN_MONITOR, 256) == b""


def test_sockets_can_be_added_and_addresses_be_several(open_socket: Open) -> None:
    with Reporter([], "inproc://r1", "inproc://r2", interval=OFTEN) as reporter:
        assert reporter.addresses == ["inproc://r1", "inproc://r2"]
        listeners = [listen(open_socket, address) for address in reporter.addresses]
        late = open_socket(SocketType.PULL)
        late.name = "late"
        reporter.add(late)
        late.bind("inproc://r3")
        for listener in listeners:
            assert until(listener, "listening")["endpoint"]["address"] == "inproc://r3"
            assert until(listener, "statistics")["socket"] == "late"


def test_what_happened_before_the_end_is_told(open_socket: Open) -> None:
    watched, address = open_socket(SocketType.PULL), "inproc://r-end"
    with Reporter([watched], address, interval=1000) as reporter:
        listener = listen(open_socket, address)
        eventually(lambda: reporter._out.statistic(nn.NN_STAT_CURRENT_CONNECTIONS) == 1, "somebody listens")
        watched.bind("inproc://r-late")
    names = []
    listener.recv_timeout = 0
    with pytest.raises(NanomsgError):
        while True:
            names.append(heard(listener)[0])
    assert names[-2:] == ["listening", "statistics"]


def test_without_events_the_monitor_is_left_alone(open_socket: Open) -> None:
    watched = open_socket(SocketType.PULL)
    watched.set_option(0, nn.NN_MONITOR, b"inproc://mine")
    with Reporter([watched], "inproc://r-quiet", interval=OFTEN, events=False):
        until(listen(open_socket, "inproc://r-quiet"), "statistics")
    assert watched.get_option(0, nn.NN_MONITOR, 256) == b"inproc://mine"


def test_a_refused_address_is_an_error_and_leaves_nothing(open_socket: Open) -> None:
    watched = open_socket(SocketType.PULL)
    with pytest.raises(NanomsgError):
        Reporter([watched], "inproc://r-whole", "nonsense")
    Reporter([watched], "inproc://r-whole").close()
    watched.close()
    with pytest.raises(NanomsgError):
        Reporter([watched], "inproc://r-whole")

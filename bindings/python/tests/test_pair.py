"""PAIR over every transport: messages, waiting, and the end of connections."""

from __future__ import annotations

import errno
import mmap
import sys
from pathlib import Path

import pytest
from conftest import Background, wait_for_connections

from nanomsg_rs import (
    DONTWAIT,
    POLLIN,
    POLLOUT,
    AddressInUse,
    Again,
    BadSocket,
    NanomsgError,
    Statistic,
    Timeout,
    poll,
)

SIZES = [0, 1, 31, 32, 33, 1000, 4096, 65535, 65536, 1 << 20]


def test_messages_travel_both_ways(pair):
    bound, connected = pair
    connected.send(b"question")
    assert bound.recv() == b"question"
    bound.send(b"answer")
    assert connected.recv() == b"answer"


def test_connecting_before_binding_works(open_socket, address):
    early, late = open_socket(), open_socket()
    early.reconnect_interval = 10
    early.connect(address)
    late.bind(address)
    early.send(b"first")
    assert late.recv() == b"first"


@pytest.mark.parametrize("size", SIZES)
def test_messages_of_any_size_arrive_whole(pair, size):
    bound, connected = pair
    message = bytes(range(256)) * (size // 256) + bytes(range(size % 256))
    connected.send(message)
    received = bound.recv()
    assert type(received) is bytes
    assert received == message
    bound.send(received)
    assert connected.recv() == message


def test_messages_keep_their_order(pair):
    bound, connected = pair
    messages = [b"%d" % number for number in range(1000)]

    def send_all():
        for message in messages:
            connected.send(message)

    sender = Background(send_all)
    assert [bound.recv() for _ in messages] == messages
    sender.result()


def test_receiving_times_out(pair):
    bound, _ = pair
    bound.recv_timeout = 20
    with pytest.raises(Timeout) as caught:
        bound.recv()
    assert caught.value.errno == errno.ETIMEDOUT
    assert isinstance(caught.value, TimeoutError)


def test_sending_without_a_peer_times_out(open_socket, address):
    lonely = open_socket()
    lonely.bind(address)
    lonely.send_timeout = 20
    with pytest.raises(Timeout):
        lonely.send(b"to nobody")


def test_dontwait_receives_what_is_there_and_refuses_to_wait(pair):
    bound, connected = pair
    with pytest.raises(Again) as caught:
        bound.recv(DONTWAIT)
    assert caught.value.errno == errno.EAGAIN
    assert isinstance(caught.value, BlockingIOError)
    connected.send(b"here")
    assert bound.poll(POLLIN, 10_000) == POLLIN
    assert bound.recv(DONTWAIT) == b"here"


def test_dontwait_refuses_to_wait_for_a_peer(open_socket, address):
    lonely = open_socket()
    lonely.bind(address)
    with pytest.raises(Again):
        lonely.send(b"to nobody", DONTWAIT)


def test_an_address_is_bound_once(open_socket, address):
    first, second = open_socket(), open_socket()
    first.bind(address)
    with pytest.raises(AddressInUse) as caught:
        second.bind(address)
    assert caught.value.errno == errno.EADDRINUSE
    assert address in str(caught.value)


def test_leaving_the_context_closes_the_socket(open_socket, address):
    with open_socket() as socket:
        socket.bind(address)
    assert socket.handle == -1
    with pytest.raises(BadSocket):
        socket.recv()
    open_socket().bind(address)


def test_an_exception_leaves_the_context_and_closes_the_socket(open_socket):
    with pytest.raises(KeyError), open_socket() as socket:
        raise KeyError("for the caller")
    assert socket.handle == -1


def test_statistics_count_messages_and_bytes(pair):
    bound, connected = pair
    for message in (b"", b"abc", b"defgh"):
        connected.send(message)
        bound.recv()
    assert connected.statistic(Statistic.MESSAGES_SENT) == 3
    assert connected.statistic(Statistic.BYTES_SENT) == 8
    assert connected.statistic(Statistic.MESSAGES_RECEIVED) == 0
    received = bound.statistics()
    assert received[Statistic.MESSAGES_RECEIVED] == 3
    assert received[Statistic.BYTES_RECEIVED] == 8
    assert received[Statistic.MESSAGES_SENT] == 0
    assert set(received) == set(Statistic)


def test_statistics_count_connections(pair):
    bound, connected = pair
    assert connected.statistic(Statistic.ESTABLISHED_CONNECTIONS) == 1
    assert bound.statistic(Statistic.CURRENT_CONNECTIONS) == 1
    connected.close()
    wait_for_connections(bound, 0)


def test_poll_tells_which_events_hold(pair):
    bound, connected = pair
    assert poll([(bound, POLLIN)], 0) == []
    assert poll([(bound, POLLIN | POLLOUT)], 10_000) == [(bound, POLLOUT)]
    connected.send(b"wake")
    assert bound.poll(POLLIN, 10_000) == POLLIN
    assert poll([(connected, POLLIN), (bound, POLLIN)], 10_000) == [(bound, POLLIN)]
    bound.recv()
    assert bound.poll(POLLIN, 0) == 0


def test_poll_without_an_event_ends_with_its_timeout(pair):
    bound, connected = pair
    assert poll([(bound, POLLIN), (connected, POLLIN)], 20) == []


def test_poll_wakes_for_a_message(pair):
    bound, connected = pair
    waiting = Background(lambda: bound.poll(POLLIN, 10_000))
    waiting.wait_until_blocked()
    connected.send(b"wake")
    assert waiting.result() == POLLIN


def test_shutting_down_an_endpoint_ends_its_connection(open_socket, new_address):
    bound, connected = open_socket(), open_socket()
    first = new_address()
    listening = bound.bind(first)
    dialing = connected.connect(first)
    wait_for_connections(connected, 1)
    assert dialing.id == int(dialing) == 1
    assert dialing.address == first
    dialing.shutdown()
    wait_for_connections(connected, 0)
    wait_for_connections(bound, 0)
    with pytest.raises(Again):
        connected.send(b"too late", DONTWAIT)
    with pytest.raises(NanomsgError) as caught:
        dialing.shutdown()
    assert caught.value.errno == errno.EINVAL
    bound.shutdown(listening.id)

    second = new_address()
    bound.bind(second)
    assert connected.connect(second).id == 2
    connected.send(b"again")
    assert bound.recv() == b"again"


def test_closing_wakes_every_thread_blocked_on_the_socket(pair):
    bound, _ = pair
    blocked = [Background(bound.recv), Background(bound.recv)]
    for thread in blocked:
        thread.wait_until_blocked()
    bound.close()
    for thread in blocked:
        with pytest.raises(BadSocket) as caught:
            thread.result()
        assert caught.value.errno == errno.EBADF


def test_closing_wakes_a_thread_blocked_in_send(open_socket, address):
    lonely = open_socket()
    lonely.bind(address)
    sender = Background(lambda: lonely.send(b"to nobody"))
    sender.wait_until_blocked()
    lonely.close()
    with pytest.raises(BadSocket):
        sender.result()


def test_a_thread_blocked_in_recv_gets_the_message(pair):
    bound, connected = pair
    receiver = Background(bound.recv)
    receiver.wait_until_blocked()
    connected.send(b"for the thread")
    assert receiver.result() == b"for the thread"


def test_two_receivers_share_the_messages(pair):
    bound, connected = pair
    receivers = [Background(bound.recv), Background(bound.recv)]
    for receiver in receivers:
        receiver.wait_until_blocked()
    connected.send(b"one")
    connected.send(b"two")
    assert sorted(receiver.result() for receiver in receivers) == [b"one", b"two"]


def test_a_peer_that_went_away_can_be_replaced(pair, open_socket, address):
    bound, connected = pair
    connected.close()
    wait_for_connections(bound, 0)
    successor = open_socket()
    successor.connect(address)
    successor.send(b"hello again")
    assert bound.recv() == b"hello again"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_received_messages_are_freed(pair):
    bound, connected = pair
    message = bytes(1 << 20)

    def exchange(count: int) -> None:
        for _ in range(count):
            connected.send(message)
            bound.recv()

    def resident_bytes() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE

    exchange(10)
    before = resident_bytes()
    exchange(200)
    assert resident_bytes() - before < 50 << 20

"""The scenarios of bindings/scenarios.txt, which every language runs."""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import re
import socket as os_socket
import threading
from pathlib import Path

import pytest
from conftest import TLS, TRANSPORTS, Background, usable, wait_for_connections

from nanomsg_rs import (
    AF_SP_RAW,
    DONTWAIT,
    POLLIN,
    AddressInUse,
    Again,
    BadSocket,
    Monitor,
    NanomsgError,
    NotSupported,
    Overflow,
    Replies,
    Requests,
    SocketType,
    Statistic,
    Timeout,
    TlsVerify,
    WrongState,
    device,
    poll,
)
from nanomsg_rs import constants as nn

inproc = pytest.mark.parametrize("transport", ["inproc"])
tls = pytest.mark.parametrize("transport", TLS, indirect=True)


@pytest.fixture(params=TRANSPORTS + TLS)
def transport(request):
    return usable(request.param)


@pytest.fixture
def star(open_socket, address):
    """One bound socket and others that are connected to it."""

    def star(hub_type, *leaf_types):
        hub, leaves = open_socket(hub_type), [open_socket(type) for type in leaf_types]
        hub.bind(address)
        for leaf in leaves:
            leaf.connect(address)
            wait_for_connections(leaf, 1)
        wait_for_connections(hub, len(leaves))
        return hub, *leaves

    return star


def test_every_scenario_of_the_list_is_here():
    file = Path(__file__).resolve().parents[2] / "scenarios.txt"
    lines = [line for line in file.read_text().splitlines() if line and line[0] != "#"]
    # One that asks for addresses runs over every transport, unless it is marked.
    tests = re.findall(r"^(@inproc\n|@tls\n)?def test_(\w+)\((.*)\)", Path(__file__).read_text(), re.MULTILINE)
    addresses = {"star", "address", "new_address"}
    signs = {"@inproc\n": "", "@tls\n": " +", "": " *"}
    own = {
        name + ("" if addresses.isdisjoint(fixtures.split(", ")) else signs[mark]) for mark, name, fixtures in tests
    }
    own.remove("every_scenario_of_the_list_is_here")
    assert own == {line.split("  ")[0] for line in lines}


def test_pair_talks_both_ways(star):
    a, b = star(SocketType.PAIR, SocketType.PAIR)
    b.send(b"there\0and")
    assert a.recv() == b"there\0and"
    a.send(b"back")
    assert b.recv() == b"back"


def test_an_empty_message_arrives(star):
    a, b = star(SocketType.PAIR, SocketType.PAIR)
    b.send(b"")
    b.send(b"after")
    assert [a.recv(), a.recv()] == [b"", b"after"]


def test_a_large_message_arrives_whole(star):
    large = bytes(number % 251 for number in range(251)) * 8355
    a, b = star(SocketType.PAIR, SocketType.PAIR)
    a.recv_max_size = -1
    sending = Background(lambda: b.send(large))
    assert a.recv() == large
    sending.result()


def test_pubsub_filters_by_topic(star):
    pub, weather, everything = star(SocketType.PUB, SocketType.SUB, SocketType.SUB)
    weather.subscribe(b"weather")
    everything.subscribe(b"")
    for message in (b"sports: 1:0", b"weather: rain"):
        publish(pub, everything, message)
    assert weather.recv() == b"weather: rain"


@pytest.mark.skipif("NN_SUB_FORWARD" not in nn.SYMBOLS, reason="with this library subscriptions do not travel")
@pytest.mark.parametrize("at_home", [None, SocketType.PUB, SocketType.SUB])
def test_subscriptions_travel_unless_told_not_to(open_socket, address, at_home):
    pub, sub = open_socket(SocketType.PUB), open_socket(SocketType.SUB)
    for socket in (pub, sub):
        assert socket.forward_subscriptions is True
        socket.forward_subscriptions = socket.type != at_home
        assert socket.forward_subscriptions is (socket.type != at_home)
    pub.bind(address)
    sub.subscribe(b"a")
    sub.connect(address)
    for _ in range(50):
        pub.send(b"b")
        publish(pub, sub, b"a")
    assert (pub.statistic(Statistic.MESSAGES_FILTERED) > 0) == (at_home is None)


def publish(pub, sub, message):
    # What was just subscribed to may still be on its way to the publisher, so the message is sent until it arrives.
    patience, sub.recv_timeout = sub.recv_timeout, 50
    for _ in range(200):
        pub.send(message)
        try:
            assert sub.recv() == message
        except TimeoutError:
            continue
        sub.recv_timeout = patience
        return
    pytest.fail("nothing arrived")


def test_reqrep_answers_whoever_asked(star):
    server, *clients = star(SocketType.REP, SocketType.REQ, SocketType.REQ)
    for number, client in enumerate(clients):
        client.send(b"%d" % number)
    for _ in clients:
        server.send(b"to " + server.recv())
    assert [client.recv() for client in clients] == [b"to 0", b"to 1"]


def test_pipeline_gives_each_message_to_one(star):
    push, *pulls = star(SocketType.PUSH, SocketType.PULL, SocketType.PULL)
    push.send(b"one")
    push.send(b"two")
    assert sorted(pull.recv() for pull in pulls) == [b"one", b"two"]


def test_survey_collects_answers_and_ends(star):
    surveyor, *respondents = star(
        SocketType.SURVEYOR, SocketType.RESPONDENT, SocketType.RESPONDENT
    )
    surveyor.survey_deadline = 1000
    surveyor.send(b"who is there?")
    for number, respondent in enumerate(respondents):
        assert respondent.recv() == b"who is there?"
        respondent.send(b"%d" % number)
    assert sorted([surveyor.recv(), surveyor.recv()]) == [b"0", b"1"]
    with pytest.raises(Timeout):
        surveyor.recv()


def test_bus_reaches_all_but_the_sender(star):
    hub, *leaves = star(SocketType.BUS, SocketType.BUS, SocketType.BUS)
    hub.send(b"to all")
    assert [leaf.recv() for leaf in leaves] == [b"to all", b"to all"]
    leaves[0].send(b"to the hub")
    assert hub.recv() == b"to the hub"
    for socket in (hub, leaves[0]):
        with pytest.raises(Again):
            socket.recv(DONTWAIT)


def test_dont_wait_is_its_own_error(open_socket):
    with pytest.raises(Again) as caught:
        open_socket().recv(DONTWAIT)
    assert caught.value.errno == errno.EAGAIN


def test_time_out_is_its_own_error(open_socket):
    socket = open_socket()
    socket.recv_timeout = 10
    with pytest.raises(Timeout) as caught:
        socket.recv()
    assert caught.value.errno == errno.ETIMEDOUT


def test_wrong_state_is_its_own_error(open_socket):
    with pytest.raises(WrongState) as caught:
        open_socket(SocketType.REP).send(b"unasked")
    assert caught.value.errno == nn.EFSM


def test_not_supported_is_its_own_error(open_socket):
    with pytest.raises(NotSupported) as caught:
        open_socket(SocketType.SUB).send(b"x")
    assert caught.value.errno == errno.ENOTSUP


@inproc
def test_address_in_use_is_its_own_error(open_socket, address):
    first, second = open_socket(), open_socket()
    first.bind(address)
    with pytest.raises(AddressInUse) as caught:
        second.bind(address)
    assert caught.value.errno == errno.EADDRINUSE


def test_a_closed_socket_is_its_own_error(open_socket):
    socket = open_socket()
    socket.close()
    other = open_socket()  # has the closed one's number
    with pytest.raises(BadSocket) as caught:
        socket.recv(DONTWAIT)
    assert caught.value.errno == errno.EBADF
    with pytest.raises(Again):
        other.recv(DONTWAIT)


def test_closing_ends_a_waiting_receive(open_socket):
    socket = open_socket()
    started = threading.Event()

    def receive():
        started.set()
        socket.recv()

    waiting = Background(receive)
    started.wait()
    waiting.wait_until_blocked()
    socket.close()
    with pytest.raises(BadSocket):
        waiting.result()


def test_options_are_read_back(open_socket):
    socket = open_socket()
    for name, value in [
        ("send_timeout", -1),
        ("send_timeout", 250),
        ("recv_buffer", 1 << 20),
        ("send_priority", 3),
        ("name", "a name"),
        ("tcp_nodelay", True),
        ("connect_timeout", 700),
        ("tcp_keepalive_idle", 60_000),
        ("tcp_keepalive_interval", 5_000),
        ("tcp_keepalive_count", 3),
        ("tcp_user_timeout", 30_000),
        ("ipc_mode", 0o660),
        ("recv_peer", True),
        ("ws_ping", 20_000),
        ("tls_verify", TlsVerify.OPTIONAL),
        ("tls_name", "localhost"),
        ("tls_min_version", 13),
        ("conflate", True),
        ("conflate_prefix", 4),
    ]:
        if re.match("connect|tcp_keep|tcp_user|ipc|recv_peer|ws_ping|tls|conflate", name) and "NN_ENDPOINT" not in nn.SYMBOLS:
            continue  # not with this library
        setattr(socket, name, value)
        assert getattr(socket, name) == value
    with pytest.raises(NanomsgError) as caught:
        socket.send_priority = 17
    assert caught.value.errno == errno.EINVAL
    for type, name, value in [
        (SocketType.REQ, "resend_interval", 123),
        (SocketType.SURVEYOR, "survey_deadline", 123),
        (SocketType.PUB, "overflow", Overflow.DROP_OLD),
    ]:
        if name == "overflow" and "NN_OVERFLOW" not in nn.SYMBOLS:
            continue
        other = open_socket(type)
        setattr(other, name, value)
        assert getattr(other, name) == value
        with pytest.raises(NanomsgError) as caught:
            setattr(socket, name, value)
        assert caught.value.errno == errno.ENOPROTOOPT


@inproc
def test_poll_tells_who_is_ready(star):
    a, b = star(SocketType.PAIR, SocketType.PAIR)
    b.send(b"hello")
    assert poll([(a, POLLIN), (b, POLLIN)], 10_000) == [(a, POLLIN)]
    a.recv()
    assert poll([(a, POLLIN), (b, POLLIN)], 0) == []


def test_a_device_forwards(open_socket, new_address):
    front, back = open_socket(SocketType.PULL, AF_SP_RAW), open_socket(SocketType.PUSH, AF_SP_RAW)
    for socket in (front, back):
        socket.recv_timeout = socket.send_timeout = -1
    push, pull = open_socket(SocketType.PUSH), open_socket(SocketType.PULL)
    for outer, inner in ((push, front), (pull, back)):
        address = new_address()
        inner.bind(address)
        outer.connect(address)
    forwarding = Background(lambda: device(front, back))
    push.send(b"through both")
    assert pull.recv() == b"through both"
    front.close()
    back.close()
    with pytest.raises(BadSocket):
        forwarding.result()


@inproc
def test_statistics_count_messages(star):
    a, b = star(SocketType.PAIR, SocketType.PAIR)
    b.send(b"hello")
    b.send(b"you")
    a.recv()
    a.recv()
    sent, received = b.statistics(), a.statistics()
    assert (sent[Statistic.MESSAGES_SENT], sent[Statistic.BYTES_SENT]) == (2, 8)
    assert (received[Statistic.MESSAGES_RECEIVED], received[Statistic.BYTES_RECEIVED]) == (2, 8)


@inproc
def test_a_shut_down_endpoint_is_free_again(open_socket, address):
    first, second = open_socket(), open_socket()
    endpoint = first.bind(address)
    endpoint.shutdown()
    second.bind(address)
    with pytest.raises(NanomsgError) as caught:
        endpoint.shutdown()
    assert caught.value.errno == errno.EINVAL


@pytest.mark.skipif("NN_ENDPOINT" not in nn.SYMBOLS, reason="this library does not tell")
def test_an_endpoint_tells_its_address(open_socket, address, transport):
    bound, connected = open_socket(), open_socket()
    assert bound.bind(address).address == address
    assert connected.connect(address).address == address
    if transport in ("tcp", "ws", *TLS):
        host, _, _ = address.rpartition(":")
        bound, connected = open_socket(), open_socket()
        chosen = bound.bind(f"{host}:0").address
        assert re.fullmatch(re.escape(host) + r":[1-9]\d*", chosen)
        connected.connect(chosen)
        connected.send(b"hello")
        assert bound.recv() == b"hello"


@pytest.mark.skipif("NN_ENDPOINT" not in nn.SYMBOLS, reason="this library takes no descriptors")
def test_a_descriptor_becomes_an_endpoint(open_socket):
    one, other = (f"fd://{end.detach()}" for end in os_socket.socketpair())
    a, b = open_socket(), open_socket()
    a.bind(one)
    b.connect(other)
    b.send(b"there")
    assert a.recv() == b"there"
    a.send(b"and back")
    assert b.recv() == b"and back"
    with pytest.raises(AddressInUse):
        open_socket().bind(one)


@pytest.mark.skipif("NN_REQ_FAIL_FAST" not in nn.SYMBOLS, reason="with this library requests wait")
@inproc
def test_a_request_to_nobody_fails_if_told_to(open_socket, address):
    req, rep = open_socket(SocketType.REQ), open_socket(SocketType.REP)
    req.fail_fast = 1
    req.bind(address)
    with pytest.raises(Again):
        req.send(b"anybody?")
    rep.connect(address)
    wait_for_connections(req, 1)
    req.send(b"anybody?")
    assert rep.recv() == b"anybody?"


@pytest.mark.skipif("NN_MONITOR" not in nn.SYMBOLS, reason="this library does not tell")
def test_a_monitor_tells_who_comes_and_goes(open_socket, address):
    hub, leaf = open_socket(SocketType.PULL), open_socket(SocketType.PUSH)
    hub.name = "hub"
    assert hub.monitor == ""
    with Monitor(hub) as monitor:
        assert hub.monitor == monitor.address != ""
        seen = []

        def until(name):
            while not seen or seen[-1].event != name:
                seen.append(monitor.recv(10_000))
            return seen[-1]

        endpoint = hub.bind(address)
        leaf.connect(address)
        connected = until("connected")
        wait_for_connections(leaf, 1)  # both ends know it now
        leaf.close()
        disconnected = until("disconnected")
        endpoint.shutdown()
        until("closed")
        hub.close()
        until("monitor_stopped")
    assert [event.event for event in seen if event.event != "accepted"] == [
        "listening",
        "connected",
        "disconnected",
        "closed",
        "monitor_stopped",
    ]
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    assert {(event.socket, event.type) for event in seen} == {("hub", "pull")}
    for event in seen[:-1]:
        assert event.endpoint == {"id": endpoint.id, "address": address, "kind": "bind"}
    assert connected.peer["type"] == "push"
    assert (disconnected.peer, disconnected.reason) == (connected.peer, "closed")


@pytest.mark.skipif("NN_STATISTICS" not in nn.SYMBOLS, reason="this library does not tell")
@inproc
def test_statistics_are_one_document(open_socket, address):
    a, b = open_socket(), open_socket()
    endpoint = a.bind(address)
    b.connect(address)
    wait_for_connections(a, 1)
    b.send(b"hello")
    b.send(b"you")
    a.recv()
    a.recv()
    report = a.report()
    assert (report["type"], report["raw"]) == ("pair", False)
    assert (report["counters"]["messages_received"], report["counters"]["bytes_received"]) == (2, 8)
    assert report["counters"] == {
        which.name.lower(): count
        for which, count in a.statistics().items()
        if which is not Statistic.CURRENT_SND_PRIORITY
    }
    assert report["endpoints"] == [
        {"id": endpoint.id, "address": address, "kind": "bind", "connections": 1, "connected": 1, "failed": 0}
    ]
    (connection,) = report["connections"]
    assert (connection["endpoint"], connection["peer"]["type"]) == (endpoint.id, "pair")
    assert (connection["messages_received"], connection["bytes_received"], connection["messages_sent"]) == (2, 8, 0)


@pytest.mark.skipif("NN_RECV_PEER" not in nn.SYMBOLS, reason="this library does not tell")
def test_a_message_tells_its_peer(star, transport):
    hub, *leaves = star(SocketType.PULL, SocketType.PUSH, SocketType.PUSH)

    def peer():
        for number, leaf in enumerate(leaves):
            leaf.send(b"%d" % number)
        return {bytes(message): message.peer for message in (hub.recv_message(), hub.recv_message())}

    assert peer() == {b"0": None, b"1": None}
    hub.recv_peer = True
    first = peer()
    assert first == peer()
    zero, one = first[b"0"], first[b"1"]
    assert zero["pipe"] != one["pipe"]
    for peer in (zero, one):
        assert peer["type"] == "push"
        if transport in ("tcp", "ws", *TLS):
            assert peer["address"].startswith("127.0.0.1:") and peer["local"].startswith("127.0.0.1:")
        elif transport != "inproc":
            assert (peer["pid"], peer["uid"], peer["gid"]) == (os.getpid(), os.getuid(), os.getgid())


@tls
def test_a_certificate_tells_who_the_peer_is(open_socket, address, certificates):
    hub, leaf = open_socket(SocketType.PULL), open_socket(SocketType.PUSH)
    hub.tls_verify = TlsVerify.REQUIRED
    hub.recv_peer = True
    leaf.tls_cert, leaf.tls_key = certificates / "client.pem", certificates / "client.key"
    hub.bind(address)
    leaf.connect(address)
    leaf.send(b"hello")
    certificate = hub.recv_message().peer["certificate"]
    assert certificate["subject"] == "CN=client,O=nanomsg tests"
    assert re.fullmatch("[0-9a-f]{64}", certificate["sha256"])


@tls
def test_a_wrong_certificate_is_refused(open_socket, address, certificates):
    a, b = open_socket(), open_socket()
    a.bind(address)
    b.tls_ca = certificates / "other-ca.pem"
    with Monitor(b) as monitor:
        wrong = b.connect(address)
        failed = next(event for event in monitor.events(10_000) if event.event == "handshake_failed")
        assert (failed.reason, failed.errno) == ("tls", nn.NN_ETLS_UNKNOWN_CA)
        assert failed.endpoint["id"] == wrong.id
    wrong.shutdown()
    b.tls_ca = certificates / "ca.pem"
    b.connect(address)
    b.send(b"hello")
    assert a.recv() == b"hello"


@pytest.mark.skipif("NN_CONFLATE" not in nn.SYMBOLS, reason="with this library every message is kept")
@inproc
def test_only_the_newest_is_received_if_told_to(open_socket, new_address):
    for prefix, newest in [(0, [b"b99"]), (1, [b"a99", b"b99"])]:
        push, pull, address = open_socket(SocketType.PUSH), open_socket(SocketType.PULL), new_address()
        pull.conflate, pull.conflate_prefix = True, prefix
        pull.bind(address)
        push.connect(address)
        wait_for_connections(push, 1)
        for number in range(100):
            push.send(b"a%d" % number)
            push.send(b"b%d" % number)
        assert sorted(pull.recv() for _ in newest) == newest
        with pytest.raises(Again):
            pull.recv(DONTWAIT)
        assert pull.statistic(Statistic.MESSAGES_CONFLATED) == 200 - len(newest)


@pytest.mark.skipif("NN_OVERFLOW" not in nn.SYMBOLS, reason="with this library publishers wait for nobody")
@inproc
def test_a_publisher_waits_if_told_to(open_socket, address):
    pub, sub = open_socket(SocketType.PUB), open_socket(SocketType.SUB)
    pub.overflow = Overflow.WAIT
    pub.send_buffer = sub.recv_buffer = 1000
    sub.subscribe(b"")
    pub.bind(address)
    sub.connect(address)
    publish(pub, sub, b"first")

    def send():
        for number in range(1000):
            pub.send(b"%100d" % number)

    sending = Background(send)
    # It may have been sent more than once until it arrived.
    received = itertools.dropwhile(b"first".__eq__, iter(sub.recv, None))
    assert list(itertools.islice(received, 1000)) == [b"%100d" % number for number in range(1000)]
    sending.result()
    assert pub.statistic(Statistic.MESSAGES_OVERFLOWED) == 0


@inproc
def test_a_received_message_is_sent_on(star, open_socket):
    a, b = star(SocketType.PAIR, SocketType.PAIR)
    c, d = open_socket(), open_socket()
    c.bind("inproc://sent-on")
    d.connect("inproc://sent-on")
    b.send(bytes(100_000))
    message = a.recv_message()
    place = ctypes.addressof(ctypes.c_char.from_buffer(message.view))
    c.send(message)
    assert len(message) == 0
    received = d.recv_message()
    assert ctypes.addressof(ctypes.c_char.from_buffer(received.view)) == place
    assert bytes(received) == bytes(100_000)


def test_several_requests_are_answered_in_any_order(open_socket, address):
    server, client = open_socket(SocketType.REP, AF_SP_RAW), open_socket(SocketType.REQ, AF_SP_RAW)
    server.bind(address)
    client.connect(address)
    requests, replies = Requests(client), Replies(server)
    asking = [Background(lambda number=number: requests.ask(b"%d" % number)) for number in range(3)]
    received = sorted((replies.recv() for _ in asking), key=lambda request: request.body)
    assert [request.body for request in received] == [b"0", b"1", b"2"]
    for request in reversed(received):
        request.reply(b"to " + request.body)
    assert [asked.result() for asked in asking] == [b"to 0", b"to 1", b"to 2"]


@inproc
def test_a_request_ends_at_its_time_limit(address):
    with Replies(address) as replies, Requests(address) as requests:
        with pytest.raises(Timeout) as caught:
            requests.ask(b"one", timeout=20)
        assert caught.value.errno == errno.ETIMEDOUT
        late = replies.recv()
        asking = Background(lambda: requests.ask(b"two", timeout=10_000))
        request = replies.recv()
        late.reply(b"to one")
        request.reply(b"to two")
        assert (late.body, request.body) == (b"one", b"two")
        assert asking.result() == b"to two"


@inproc
def test_a_raw_replier_answers_in_any_order(open_socket, address):
    clients = [open_socket(SocketType.REQ) for _ in range(2)]
    with Replies(address) as replies:
        received = []
        for number, client in enumerate(clients):
            client.connect(address)
            client.send(b"%d" % number)
            received.append(replies.recv())
        for request in reversed(received):
            request.reply(b"to " + request.body)
        assert [client.recv() for client in clients] == [b"to 0", b"to 1"]

"""The other patterns, one short exchange each over every transport.

A pattern that the library does not have yet is skipped, and says so.
"""

from __future__ import annotations

import pytest
from conftest import wait_for_connections

from nanomsg_rs import NotSupported, SocketType, WrongState


@pytest.fixture
def connect(open_socket, address):
    """Opens one bound socket and others that connect to it, all of them connected."""

    def connect(bound_type, *connecting_types):
        bound = open_socket(bound_type)
        connecting = [open_socket(type) for type in connecting_types]
        bound.bind(address)
        for socket in connecting:
            socket.connect(address)
            wait_for_connections(socket, 1)
        wait_for_connections(bound, len(connecting))
        return bound, *connecting

    return connect


def test_pubsub_delivers_by_topic(connect):
    pub, weather, everything = connect(SocketType.PUB, SocketType.SUB, SocketType.SUB)
    weather.subscribe(b"weather")
    everything.subscribe(b"")
    for message in (b"sports: 1:0", b"weather: rain"):
        publish(pub, everything, message)
    assert weather.recv() == b"weather: rain"


def test_pubsub_ends_with_the_subscription(connect):
    pub, sub = connect(SocketType.PUB, SocketType.SUB)
    sub.subscribe(b"a")
    sub.subscribe(b"b")
    publish(pub, sub, b"a1")
    sub.unsubscribe(b"a")
    pub.send(b"a2")
    publish(pub, sub, b"b1")


def publish(pub, sub, message):
    # What was just subscribed to may still be on its way to the publisher, and that skips a subscriber whose pipe is
    # busy; so the message is sent until it arrives.
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


def test_reqrep_answers_the_request(connect):
    rep, req = connect(SocketType.REP, SocketType.REQ)
    for question, answer in ((b"2 + 2", b"4"), (b"", b""), (b"x" * 100_000, b"y" * 100_000)):
        req.send(question)
        assert rep.recv() == question
        rep.send(answer)
        assert req.recv() == answer


def test_reqrep_answers_whoever_asked(connect):
    rep, *askers = connect(SocketType.REP, SocketType.REQ, SocketType.REQ)
    for number, asker in enumerate(askers):
        asker.send(b"%d" % number)
    for _ in askers:
        rep.send(b"to " + rep.recv())
    assert [asker.recv() for asker in askers] == [b"to 0", b"to 1"]


def test_reqrep_refuses_the_wrong_order(open_socket):
    with pytest.raises(WrongState):
        open_socket(SocketType.REQ).recv()
    with pytest.raises(WrongState):
        open_socket(SocketType.REP).send(b"unasked")


def test_pipeline_hands_each_message_to_one_worker(connect):
    push, *pulls = connect(SocketType.PUSH, SocketType.PULL, SocketType.PULL)
    push.send(b"one")
    push.send(b"two")
    assert sorted(pull.recv() for pull in pulls) == [b"one", b"two"]


def test_survey_collects_the_answers(connect):
    surveyor, *respondents = connect(
        SocketType.SURVEYOR, SocketType.RESPONDENT, SocketType.RESPONDENT
    )
    surveyor.send(b"who is there?")
    for number, respondent in enumerate(respondents):
        assert respondent.recv() == b"who is there?"
        respondent.send(b"%d" % number)
    assert sorted(surveyor.recv() for _ in respondents) == [b"0", b"1"]


def test_bus_reaches_all_peers_but_not_the_sender(connect):
    hub, *leaves = connect(SocketType.BUS, SocketType.BUS, SocketType.BUS)
    hub.send(b"to all")
    assert [leaf.recv() for leaf in leaves] == [b"to all", b"to all"]
    leaves[0].send(b"to the hub")
    assert hub.recv() == b"to the hub"
    leaves[1].recv_timeout = 0
    with pytest.raises(TimeoutError):
        leaves[1].recv()


@pytest.mark.parametrize("type", [SocketType.PUB, SocketType.PUSH])
def test_senders_do_not_receive(open_socket, type):
    with pytest.raises(NotSupported):
        open_socket(type).recv()


@pytest.mark.parametrize("type", [SocketType.SUB, SocketType.PULL])
def test_receivers_do_not_send(open_socket, type):
    with pytest.raises(NotSupported):
        open_socket(type).send(b"x")

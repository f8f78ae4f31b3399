"""Watching a socket: monitors of both kinds, and what is published against docs/monitoring.schema.json."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import Background, eventually, wait_for_connections

from nanomsg_rs import BadSocket, Event, Monitor, NanomsgError, Socket, SocketType, Timeout
from nanomsg_rs import asyncio as coroutines
from nanomsg_rs import constants as nn

pytestmark = pytest.mark.skipif("NN_MONITOR" not in nn.SYMBOLS, reason="this library does not tell")
_counter = itertools.count()
SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "monitoring.schema.json"


def names(events):
    return [event.event for event in events]


def test_an_event_has_what_was_published_and_what_is_new_is_kept():
    members = {"event": "overflow", "seq": 3, "time_ns": 1, "monotonic_ns": 2, "socket": "s p", "type": "pub"}
    event = Event.of(b"overflow " + json.dumps({**members, "dropped": 7, "later": [1]}).encode())
    assert (event.event, event.seq, event.socket, event.dropped, event.peer) == ("overflow", 3, "s p", 7, None)
    assert event.members["later"] == [1]


def test_nothing_comes_when_nothing_happens(open_socket):
    with Monitor(open_socket()) as monitor:
        with pytest.raises(Timeout):
            monitor.recv(10)
        assert list(monitor.events(10)) == []


def test_the_end_of_the_socket_ends_the_events(open_socket):
    socket = open_socket()
    with Monitor(socket) as monitor:
        socket.connect("inproc://nobody")
        watching = Background(lambda: names(monitor))
        socket.close()
        assert watching.result() == ["connecting", "closed", "monitor_stopped"]
        assert list(monitor) == []


def test_the_end_of_the_monitor_ends_the_publishing(open_socket):
    socket = open_socket()
    monitor = Monitor(socket)
    assert socket.monitor == monitor.address
    monitor.close()
    assert socket.monitor == ""
    monitor.close()
    with pytest.raises(BadSocket):
        monitor.recv()
    assert list(monitor) == []


def test_another_monitor_takes_the_place(open_socket, address):
    socket = open_socket()
    with Monitor(socket) as first, Monitor(socket) as second:
        assert names(first) == ["monitor_stopped"]
        first.close()
        assert socket.monitor == second.address
        socket.bind(address)
        event = second.recv(10_000)
        assert (event.event, event.seq) == ("listening", 1)


@pytest.mark.parametrize("transport", ["inproc"])
def test_a_refused_address_leaves_nothing_behind(open_socket, address):
    other, socket = open_socket(), open_socket()
    other.bind(address)
    with pytest.raises(NanomsgError) as caught:
        Monitor(socket, address)
    assert caught.value.errno == nn.EADDRINUSE
    with pytest.raises(NanomsgError):
        Monitor(socket, "nonsense")
    assert socket.monitor == ""


def test_a_given_address_is_where_others_can_subscribe(open_socket, transport, address):
    socket, other = open_socket(), open_socket(SocketType.SUB)
    if transport in ("tcp", "ws"):
        address = f"{transport}://127.0.0.1:0"
    other.subscribe(b"listening ")
    with Monitor(socket, address) as monitor:
        assert not monitor.address.endswith(":0")
        other.connect(monitor.address)
        other.recv_timeout = 50

        def told():
            # Its subscription may still be on its way.
            socket.bind(f"inproc://something-{next(_counter)}")
            try:
                return other.recv().startswith(b"listening {")
            except Timeout:
                return False

        eventually(told, "the other one is told")
        assert monitor.recv(10_000).event == "listening"


def test_the_first_event_is_never_missed():
    for _ in range(200):
        with Socket(SocketType.PAIR) as socket, Monitor(socket) as monitor:
            socket.connect("inproc://nobody")
            assert monitor.recv(10_000).seq == 1


def test_coroutines_watch(address):
    async def main():
        async with coroutines.Socket(SocketType.PULL) as pull, coroutines.Socket(SocketType.PUSH) as push:
            async with coroutines.Monitor(pull) as monitor:
                with pytest.raises(Timeout):
                    await monitor.recv(10)
                assert [event async for event in monitor.events(10)] == []
                pull.recv_peer = True
                pull.bind(address)
                push.connect(address)
                await push.send(b"hello")
                message = await pull.recv_message()
                await push.aclose()
                seen = []
                async for event in monitor:
                    seen.append(event)
                    if event.event == "disconnected":
                        await pull.aclose()
                told = [event for event in seen if event.event != "accepted"]
                assert names(told) == ["listening", "connected", "disconnected", "closed", "monitor_stopped"]
                assert told[1].peer == message.peer
            with pytest.raises(BadSocket):
                await monitor.recv()

    asyncio.run(asyncio.wait_for(main(), 20))


@pytest.fixture(scope="module")
def check():
    """Checks a value against a part of the schema. What the schema does not speak of is refused here, although a later
    library may add to it."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_text())
    parts = schema["$defs"]
    for part in (parts["event"], parts["peer"], parts["statistics"], *parts["statistics"]["properties"].values()):
        items = part.get("items", part)
        if "properties" in items:
            items["unevaluatedProperties"] = False
    validators = {
        name: jsonschema.Draft202012Validator({"$schema": schema["$schema"], "$ref": f"#/$defs/{name}", "$defs": parts})
        for name in ("event", "peer", "statistics")
    }
    return lambda name, value: validators[name].validate(value)


def test_what_a_lively_network_publishes_is_as_the_schema_says(open_socket, new_address, transport, free_port, check):
    monitors, events = [], []

    def watched(type):
        socket = open_socket(type)
        socket.reconnect_interval = 1
        monitors.append(Monitor(socket))
        return socket

    address = new_address()
    hub, stranger = watched(SocketType.REP), watched(SocketType.PUSH)
    stranger.connect(address)  # before there is anybody, and it does not fit
    hub.bind(address)
    with pytest.raises(NanomsgError):
        watched(SocketType.PAIR).bind(address)
    hub.recv_peer = True
    clients = [watched(SocketType.REQ) for _ in range(3)]
    for client in clients:
        client.connect(address)
    for client in clients:
        client.send(b"question")
        message = hub.recv_message()
        check("peer", message.peer)
        hub.send(b"answer")
        assert client.recv() == b"answer"
    for socket in (hub, stranger, *clients):
        check("statistics", socket.report())
    assert len(hub.report()["connections"]) == 3
    clients[0].close()
    watched(SocketType.PAIR).connect(f"tcp://127.0.0.1:{free_port}")
    hub.close()
    eventually(lambda: clients[1].report()["endpoints"][0]["connections"] == 0, "the hub has gone")
    for monitor in monitors:
        monitor._watched.close()
        events += monitor.events(10_000)
        monitor.close()
    for event in events:
        check("event", event.members)
    told = set(names(events))
    assert told >= {"listening", "bind_failed", "connecting", "connected", "disconnected", "closed", "monitor_stopped"}
    if transport != "inproc":
        assert told >= {"accepted", "handshake_failed", "connect_failed", "retrying"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """What tests/pki.sh makes."""
    if "NN_TLS" not in nn.SYMBOLS:
        pytest.skip("this library has no TLS")
    if shutil.which("openssl") is None:
        assert os.environ.get("CI") != "true", "openssl is missing"
        pytest.skip("openssl is missing")
    folder = tmp_path_factory.mktemp("certificates")
    subprocess.run(["sh", SCHEMA.parents[1] / "tests" / "pki.sh", folder], check=True)
    return folder


def identify(socket, certificates, name=None):
    """Whom it trusts, and who it is."""

    def give(option, file):
        socket.set_option(nn.SYMBOLS["NN_TLS"], nn.SYMBOLS[option], str(certificates / file).encode())

    give("NN_TLS_CA", "ca.pem")
    if name is not None:
        give("NN_TLS_CERT", f"{name}.pem")
        give("NN_TLS_KEY", f"{name}.key")


@pytest.mark.parametrize("scheme", ["tls+tcp", "wss"])
def test_certificates_and_failed_handshakes_are_as_the_schema_says(open_socket, certificates, scheme, free_port, check):
    hub, guest, stranger = (open_socket(type) for type in (SocketType.REP, SocketType.REQ, SocketType.REQ))
    with Monitor(hub) as at_hub, Monitor(stranger) as at_stranger:
        hub.recv_peer = True
        hub.set_option(nn.SYMBOLS["NN_TLS"], nn.SYMBOLS["NN_TLS_VERIFY"], 2)
        identify(hub, certificates, "server")
        identify(guest, certificates, "client")
        identify(stranger, certificates)
        hub.bind(f"{scheme}://127.0.0.1:{free_port}")
        guest.connect(f"{scheme}://127.0.0.1:{free_port}")
        guest.send(b"question")
        message = hub.recv_message()
        hub.send(b"answer")
        assert guest.recv() == b"answer"
        stranger.connect(f"{scheme}://127.0.0.1:{free_port}")
        failures = {}
        for monitor, reason in ((at_hub, "NN_ETLS_NO_CERT"), (at_stranger, "NN_ETLS_CERT_WANTED")):
            event = next(event for event in monitor.events(10_000) if event.event == "handshake_failed")
            assert (event.reason, event.errno) == ("tls", nn.SYMBOLS[reason])
            check("event", event.members)
            failures[reason] = event
        report = stranger.report()
        (endpoint,) = report["endpoints"]
        assert endpoint["failed"] > 0 and endpoint["error"] == failures["NN_ETLS_CERT_WANTED"].error
        check("statistics", report)
        check("statistics", hub.report())
        check("peer", message.peer)
        certificate = message.peer["certificate"]
        assert "CN=client" in certificate["subject"]
        assert hub.report()["connections"][0]["peer"]["certificate"] == certificate
        assert "CN=server" in guest.report()["connections"][0]["peer"]["certificate"]["subject"]


def test_a_monitor_has_the_certificates_of_its_socket(open_socket, certificates):
    watched, watcher = open_socket(), open_socket(SocketType.SUB)
    with pytest.raises(NanomsgError):
        watched.monitor = "tls+tcp://127.0.0.1:0"
    identify(watched, certificates, "server")
    identify(watcher, certificates)
    watched.monitor = "tls+tcp://127.0.0.1:0"
    watcher.subscribe(b"closed ")
    watcher.connect(watched.monitor)
    wait_for_connections(watcher, 1)
    watched.connect("inproc://nobody").shutdown()
    assert Event.of(watcher.recv()).endpoint["address"] == "inproc://nobody"

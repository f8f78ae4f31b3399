"""PyPI's nanomsg, by its C extension or by ctypes: patterns, options, endpoints, devices, errors."""

import errno
import json
import socket
import sys
import tempfile
import threading
import time

import nanomsg_wrappers

nanomsg_wrappers.set_wrapper_choice(sys.argv[1])

import nanomsg  # noqa: E402
import ours  # noqa: E402

PATIENCE = 10_000  # ms

# Who sends first, who receives that, and whether there is an answer.
EXCHANGES = [
    (nanomsg.PAIR, nanomsg.PAIR, True),
    (nanomsg.REQ, nanomsg.REP, True),
    (nanomsg.PUSH, nanomsg.PULL, False),
    (nanomsg.SURVEYOR, nanomsg.RESPONDENT, True),
    (nanomsg.BUS, nanomsg.BUS, True),
    (nanomsg.PUB, nanomsg.SUB, False),
]


def text(address):
    """An address as the wrapper wants it: with ctypes as bytes."""
    return address.encode() if sys.argv[1] == "ctypes" else address


def exchange(address, asker_type, answerer_type, answers):
    with nanomsg.Socket(asker_type) as asker, nanomsg.Socket(answerer_type) as answerer:
        asker.send_timeout = answerer.send_timeout = PATIENCE
        if answerer_type == nanomsg.SUB:
            answerer.set_string_option(nanomsg.SUB, nanomsg.SUB_SUBSCRIBE, b"")
        answerer.bind(text(address))
        asker.connect(text(address))
        # Some patterns drop what is sent before there is a connection: it is sent until it arrives.
        answerer.recv_timeout = 100
        deadline = time.monotonic() + PATIENCE / 1000
        while True:
            asker.send(b"there\0and")
            try:
                assert answerer.recv() == b"there\0and"
                break
            except nanomsg.NanoMsgAPIError as error:
                assert error.errno == errno.ETIMEDOUT and time.monotonic() < deadline, error
        if answers:
            asker.recv_timeout = PATIENCE
            answerer.send(b"back")
            assert asker.recv() == b"back"


def refused(number, call):
    try:
        call()
    except nanomsg.NanoMsgAPIError as error:
        assert error.errno == number, error.errno
    else:
        raise AssertionError("not refused")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


count = iter(range(1000))
with tempfile.TemporaryDirectory() as directory:
    for row in EXCHANGES:
        exchange(f"inproc://{next(count)}", *row)
        exchange(f"ipc://{directory}/{next(count)}", *row)
        exchange(f"tcp://127.0.0.1:{free_port()}", *row)
        exchange(f"ws://127.0.0.1:{free_port()}", *row)

with nanomsg.Socket(nanomsg.PAIR) as one, nanomsg.Socket(nanomsg.PAIR) as other:
    one.send_timeout = 123
    assert one.send_timeout == 123
    one.set_string_option(nanomsg.SOL_SOCKET, nanomsg.SOCKET_NAME, b"name")
    assert one.get_string_option(nanomsg.SOL_SOCKET, nanomsg.SOCKET_NAME) == b"name"
    refused(errno.EAGAIN, lambda: one.recv(flags=nanomsg.DONTWAIT))
    endpoint = one.bind(text("inproc://endpoint"))
    refused(errno.EADDRINUSE, lambda: other.bind(text("inproc://endpoint")))
    # The endpoint's own method uses a name that its module lacks.
    assert nanomsg.wrapper.nn_shutdown(one.fd, endpoint._endpoint_id) == 0
    other.bind(text("inproc://endpoint"))



def port_0_a_monitor_and_keepalive():
    """With its options alone."""
    with nanomsg.Socket(nanomsg.SUB) as events, nanomsg.Socket(nanomsg.PULL) as bound:
        bound.recv_timeout = events.recv_timeout = PATIENCE
        events.set_string_option(nanomsg.SUB, nanomsg.SUB_SUBSCRIBE, b"")
        events.connect(text("inproc://events"))
        bound.set_string_option(nanomsg.SOL_SOCKET, nanomsg.MONITOR, b"inproc://events")
        assert bound.get_string_option(nanomsg.SOL_SOCKET, nanomsg.MONITOR) == b"inproc://events"
        bound.bind(text("tcp://127.0.0.1:0"))
        listening = ours.event(events.recv())
        address = bound.get_string_option(nanomsg.ENDPOINT, listening["endpoint"]["id"])
        assert address == listening["endpoint"]["address"].encode() and not address.endswith(b":0"), address
        with nanomsg.Socket(nanomsg.PUSH) as other:
            assert other.get_int_option(nanomsg.TCP, nanomsg.TCP_KEEPALIVE_IDLE) == 0
            other.set_int_option(nanomsg.TCP, nanomsg.TCP_KEEPALIVE_IDLE, 60_000)
            assert other.get_int_option(nanomsg.TCP, nanomsg.TCP_KEEPALIVE_IDLE) == 60_000
            other.connect(text(address.decode()))
            other.send(b"hello")
            assert bound.recv() == b"hello"
            told = [ours.event(events.recv()) for _ in range(2)]
            assert [event["event"] for event in told] == ["accepted", "connected"], told
            client, server = (int(told[1]["peer"][end].rpartition(":")[2]) for end in ("address", "local"))
            assert ours.has_keepalive(client, server) and not ours.has_keepalive(server, client)
            # Its buffer for texts has 16 KiB unless it is told more.
            report = json.loads(bound.get_string_option(nanomsg.SOL_SOCKET, nanomsg.STATISTICS, 1 << 20))
            assert report["connections"][0]["peer"] == told[1]["peer"], report
        gone = ours.event(events.recv())
        assert (gone["event"], gone["reason"], gone["peer"]) == ("disconnected", "closed", told[1]["peer"]), gone
        bound.close()
        assert [ours.event(events.recv())["event"] for _ in range(2)] == ["closed", "monitor_stopped"]


port_0_a_monitor_and_keepalive()

ended = []


def forward():
    front = nanomsg.Socket(nanomsg.PULL, domain=nanomsg.AF_SP_RAW)
    back = nanomsg.Socket(nanomsg.PUSH, domain=nanomsg.AF_SP_RAW)
    front.bind(text("inproc://front"))
    back.bind(text("inproc://back"))
    try:
        nanomsg.Device(front, back).start()
    except nanomsg.NanoMsgAPIError as error:
        ended.append(error.errno)


ours.check()
# The C extension keeps Python's lock while a device runs, so that nobody could end it.
if sys.argv[1] == "ctypes":
    forwarding = threading.Thread(target=forward, daemon=True)
    forwarding.start()
    with nanomsg.Socket(nanomsg.PUSH) as push, nanomsg.Socket(nanomsg.PULL) as pull:
        push.send_timeout = pull.recv_timeout = PATIENCE
        push.connect(text("inproc://front"))
        pull.connect(text("inproc://back"))
        push.send(b"through both")
        assert pull.recv() == b"through both"
    nanomsg.wrapper.nn_term()
    forwarding.join(PATIENCE / 1000)
    assert ended == [errno.EBADF], ended
print("nanomsg of PyPI: ok,", sys.argv[1])

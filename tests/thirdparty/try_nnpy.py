"""PyPI's nnpy: every pattern, options, polling, statistics, errors."""

import errno
import socket
import tempfile
import time

import nnpy
import ours


def star(address, hub_type, *leaf_types):
    hub, leaves = nnpy.Socket(nnpy.AF_SP, hub_type), [nnpy.Socket(nnpy.AF_SP, t) for t in leaf_types]
    for one in (hub, *leaves):
        one.setsockopt(nnpy.SOL_SOCKET, nnpy.RCVTIMEO, 10_000)
    hub.bind(address)
    for leaf in leaves:
        leaf.connect(address)
    for one in (hub, *leaves):
        expected = len(leaves) if one is hub else 1
        deadline = time.monotonic() + 10
        while one.get_statistic(nnpy.STAT_CURRENT_CONNECTIONS) != expected:
            assert time.monotonic() < deadline, "no connection"
    return hub, *leaves


def everything(new_address):
    a, b = star(new_address(), nnpy.PAIR, nnpy.PAIR)
    b.send(b"there\0and")
    assert a.recv() == b"there\0and"
    a.send("back")
    assert b.recv() == b"back"
    assert b.get_statistic(nnpy.STAT_MESSAGES_SENT) == 1
    b.send(b"poll")
    assert nnpy.PollSet((a, nnpy.POLLIN), (b, nnpy.POLLIN)).poll(10_000) == [nnpy.POLLIN, 0]

    pub, sub = star(new_address(), nnpy.PUB, nnpy.SUB)
    sub.setsockopt(nnpy.SUB, nnpy.SUB_SUBSCRIBE, b"w")
    pub.send(b"sports")
    pub.send(b"weather")
    assert sub.recv() == b"weather"

    rep, req = star(new_address(), nnpy.REP, nnpy.REQ)
    req.send(b"question")
    assert rep.recv() == b"question"
    rep.send(b"answer")
    assert req.recv() == b"answer"

    push, pull = star(new_address(), nnpy.PUSH, nnpy.PULL)
    push.send(b"work")
    assert pull.recv() == b"work"

    surveyor, respondent = star(new_address(), nnpy.SURVEYOR, nnpy.RESPONDENT)
    surveyor.send(b"?")
    assert respondent.recv() == b"?"
    respondent.send(b"!")
    assert surveyor.recv() == b"!"

    hub, leaf = star(new_address(), nnpy.BUS, nnpy.BUS)
    leaf.send(b"bus")
    assert hub.recv() == b"bus"

    for one in (a, b, pub, sub, rep, req, push, pull, surveyor, respondent, hub, leaf):
        one.close()


def refused(number, call):
    try:
        call()
    except nnpy.NNError as error:
        assert error.error_no == number, error.error_no
    else:
        raise AssertionError("not refused")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


count = iter(range(1000))
with tempfile.TemporaryDirectory() as directory:
    everything(lambda: f"inproc://{next(count)}")
    everything(lambda: f"ipc://{directory}/{next(count)}")
    everything(lambda: f"tcp://127.0.0.1:{free_port()}")
    everything(lambda: f"ws://127.0.0.1:{free_port()}")



def port_0_a_monitor_and_keepalive():
    """With its setsockopt and getsockopt alone. The latter reads ints only: the monitor tells the port."""
    bound, other, events = (nnpy.Socket(nnpy.AF_SP, kind) for kind in (nnpy.PULL, nnpy.PUSH, nnpy.SUB))
    for socket in (bound, events):
        socket.setsockopt(nnpy.SOL_SOCKET, nnpy.RCVTIMEO, 10_000)
    events.setsockopt(nnpy.SUB, nnpy.SUB_SUBSCRIBE, b"")
    events.connect("inproc://events")
    bound.setsockopt(nnpy.SOL_SOCKET, nnpy.MONITOR, "inproc://events")
    endpoint = bound.bind("tcp://127.0.0.1:0")
    listening = ours.event(events.recv())
    assert (listening["event"], listening["endpoint"]["id"]) == ("listening", endpoint), listening
    address = listening["endpoint"]["address"]
    assert int(address.rpartition(":")[2]) > 0, address

    assert other.getsockopt(nnpy.TCP, nnpy.TCP_KEEPALIVE_IDLE) == 0
    other.setsockopt(nnpy.TCP, nnpy.TCP_KEEPALIVE_IDLE, 60_000)
    assert other.getsockopt(nnpy.TCP, nnpy.TCP_KEEPALIVE_IDLE) == 60_000
    other.connect(address)
    other.send(b"hello")
    assert bound.recv() == b"hello"
    told = [ours.event(events.recv()) for _ in range(2)]
    assert [event["event"] for event in told] == ["accepted", "connected"], told
    client, server = (int(told[1]["peer"][end].rpartition(":")[2]) for end in ("address", "local"))
    assert ours.has_keepalive(client, server) and not ours.has_keepalive(server, client)
    other.close()
    gone = ours.event(events.recv())
    assert (gone["event"], gone["reason"], gone["peer"]) == ("disconnected", "closed", told[1]["peer"]), gone
    bound.close()
    assert [ours.event(events.recv())["event"] for _ in range(2)] == ["closed", "monitor_stopped"]
    events.close()

    # Texts are read by what it shows of the C library.
    one = nnpy.Socket(nnpy.AF_SP, nnpy.PAIR)
    value, size = nnpy.ffi.new("char[256]"), nnpy.ffi.new("size_t *", 256)
    endpoint = one.bind("tcp://127.0.0.1:0")
    assert nnpy.nanomsg.nn_getsockopt(one.sock, nnpy.ENDPOINT, endpoint, value, size) == 0
    assert nnpy.ffi.string(value).startswith(b"tcp://127.0.0.1:") and not nnpy.ffi.string(value).endswith(b":0")
    one.close()


port_0_a_monitor_and_keepalive()

one = nnpy.Socket(nnpy.AF_SP, nnpy.PAIR)
refused(errno.EAGAIN, lambda: one.recv(nnpy.DONTWAIT))
refused(errno.EINVAL, lambda: one.setsockopt(nnpy.SOL_SOCKET, nnpy.SNDPRIO, 17))
one.setsockopt(nnpy.SOL_SOCKET, nnpy.SNDPRIO, 3)
assert one.getsockopt(nnpy.SOL_SOCKET, nnpy.SNDPRIO) == 3
one.close()
refused(errno.EBADF, lambda: one.send(b"x"))
ours.check()
print("nnpy: ok")

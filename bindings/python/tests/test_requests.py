"""Several requests at once: threads and coroutines that share a socket, and peers that speak wrongly."""

from __future__ import annotations

import asyncio
import errno
import gc
import select
import shutil
import socket as os_socket
import struct
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import Background, eventually, wait_for_connections

import nanomsg_rs
from nanomsg_rs import (
    AF_SP_RAW,
    DONTWAIT,
    Again,
    BadSocket,
    Message,
    NanomsgError,
    Replies,
    Requests,
    Socket,
    SocketType,
    Timeout,
    WrongState,
    device,
)
from nanomsg_rs import asyncio as coroutines

inproc = pytest.mark.parametrize("transport", ["inproc"])
every_way = pytest.mark.parametrize("transport", ["inproc", "tcp"])
PATIENCE = 10_000  # ms


@pytest.fixture
def run():
    """Runs a coroutine, and fails when it does not end."""

    def run(coroutine):
        try:
            return asyncio.run(asyncio.wait_for(coroutine, PATIENCE / 1000))
        finally:
            gc.collect()  # an unclosed socket warns, which is a failure

    return run


@pytest.fixture
def sides(address):
    """Who asks, and who answers."""
    with Replies(address) as replies, Requests(address) as requests:
        replies.socket.recv_timeout = requests.socket.recv_timeout = PATIENCE
        yield requests, replies


def waiting(requests):
    """How many threads sleep while another one reads."""
    return len(requests._asleep) if requests._reading else -1


@every_way
def test_many_threads_ask_many_times(sides):
    requests, replies = sides
    # The original library drops replies while the one before is on its way.
    requests._resend_interval = 0.5

    def answer():
        with ThreadPoolExecutor(4) as pool:
            for request in replies:
                pool.submit(lambda request=request: request.reply(b"to " + request.body))

    serving = Background(answer)

    def ask(number):
        return [requests.ask(b"%d %d" % (number, n)) == b"to %d %d" % (number, n) for n in range(50)]

    with ThreadPoolExecutor(32) as pool:
        assert all(map(all, pool.map(ask, range(32))))
    assert not requests._outstanding and not requests._asleep and not requests._reading
    replies.close()
    serving.result()


@inproc
def test_a_thread_that_has_its_reply_lets_another_one_read(sides):
    requests, replies = sides
    first = Background(lambda: requests.ask(b"first"))
    one = replies.recv()
    others = [Background(lambda n=n: requests.ask(b"%d" % n)) for n in range(3)]
    received = {request.body: request for request in (replies.recv() for _ in others)}
    eventually(lambda: waiting(requests) == 3, "one reads and three sleep")
    one.reply(b"done")
    assert first.result() == b"done"
    for n, asked in enumerate(others):
        received[b"%d" % n].reply(b"to %d" % n)
        assert asked.result() == b"to %d" % n


@inproc
def test_each_request_has_its_own_time_limit(sides):
    requests, replies = sides
    patient = Background(lambda: requests.ask(b"patient", timeout=-1))
    kept = replies.recv()
    hasty = [Background(lambda: requests.ask(b"hasty", timeout=20)) for _ in range(3)]
    for asked in hasty:
        with pytest.raises(Timeout):
            asked.result()
    kept.reply(b"done")
    assert patient.result() == b"done"
    requests.socket.recv_timeout = 20
    with pytest.raises(Timeout):
        requests.ask(b"as the socket says")
    assert not requests._outstanding and not requests._asleep and not requests._reading


@inproc
def test_who_sleeps_is_woken_by_its_reply(sides):
    requests, replies = sides
    reader = Background(lambda: requests.ask(b"reader"))
    kept = replies.recv()
    for number in range(3):
        sleeper = Background(lambda: requests.ask(b"%d" % number))
        request = replies.recv()
        eventually(lambda: waiting(requests) == 1, "one sleeps")
        request.reply(b"to %d" % number)
        assert sleeper.result() == b"to %d" % number
    kept.reply(b"done")
    assert reader.result() == b"done"


@inproc
def test_a_reader_that_gives_up_lets_another_one_read(sides):
    requests, replies = sides
    hasty = Background(lambda: requests.ask(b"hasty", timeout=200))
    assert replies.recv().body == b"hasty"
    patient = Background(lambda: requests.ask(b"patient"))
    kept = replies.recv()
    with pytest.raises(Timeout):
        hasty.result()
    kept.reply(b"done")
    assert patient.result() == b"done"


@inproc
def test_a_request_waits_for_a_peer(address):
    with Requests(address) as requests:
        with pytest.raises(Timeout):
            requests.ask(b"anybody?", timeout=20)
        asking = Background(lambda: requests.ask(b"anybody?", timeout=PATIENCE))
        asking.wait_until_blocked()
        with Replies(address) as replies:
            request = replies.recv()
            request.reply(b"yes")
            assert asking.result() == b"yes"


@inproc
def test_a_request_is_sent_again(address):
    with Replies(address) as replies, Requests(address, resend_interval=20) as requests:
        asking = Background(lambda: requests.ask(b"hello?", timeout=PATIENCE))
        first, second, third = replies.recv(), replies.recv(), replies.recv()
        assert first.body == second.body == third.body == b"hello?"
        assert first.header == second.header == third.header
        second.reply(b"yes")
        assert asking.result() == b"yes"
        # The one that comes second is nobody's.
        asking = Background(lambda: requests.ask(b"and you?", timeout=PATIENCE))
        first.reply(b"yes, too")
        request = next(request for request in replies if request.body == b"and you?")
        request.reply(b"fine")
        assert asking.result() == b"fine"


@inproc
def test_a_request_is_sent_again_once_somebody_is_there(address, new_address):
    other = new_address()
    with Requests([address, other], resend_interval=20) as requests:
        with Replies(address) as replies:
            asking = Background(lambda: requests.ask(b"hello?", timeout=PATIENCE))
            replies.recv()
        tried = []
        sent = requests._sent
        requests._sent = lambda *request: tried.append(sent(*request)) or tried[-1]
        eventually(lambda: False in tried, "nobody was there to send to")
        with Replies(other) as replies:
            replies.recv().reply(b"yes")
            assert asking.result() == b"yes"


@inproc
def test_ids_go_up_and_around_and_past_those_under_way(sides):
    requests, replies = sides
    requests._outstanding._next = 0x7FFF_FFFF
    headers = []
    asking = []
    for number in range(3):
        asking.append(Background(lambda: requests.ask(b"?")))
        headers.append(replies.recv())
        if number == 1:
            requests._outstanding._next = 0x7FFF_FFFF
    ids = [request.header[-4:].hex() for request in headers]
    assert ids == ["ffffffff", "80000000", "80000001"]
    assert requests._outstanding._next == 2
    for request in headers:
        request.reply(b"!")
    assert [asked.result() for asked in asking] == [b"!"] * 3


def test_ids_begin_anywhere():
    def first():
        return nanomsg_rs.requests.Outstanding().add(None)

    assert len({first() for _ in range(8)}) > 1
    assert all(first()[0] & 0x80 for _ in range(8))


@every_way
def test_closing_ends_those_who_wait(sides):
    requests, replies = sides
    requests.socket.recv_timeout = -1
    asking = [Background(lambda: requests.ask(b"?")) for _ in range(4)]
    for _ in asking:
        replies.recv()
    eventually(lambda: waiting(requests) == 3, "one reads and three sleep")
    requests.close()
    for asked in asking:
        with pytest.raises(BadSocket):
            asked.result()
    with pytest.raises(BadSocket):
        requests.ask(b"?")
    requests.close()


@inproc
def test_closing_ends_one_who_waits_for_a_peer(address):
    requests = Requests(address)
    asking = Background(lambda: requests.ask(b"?"))
    asking.wait_until_blocked()
    requests.close()
    with pytest.raises(BadSocket):
        asking.result()


@inproc
def test_a_request_is_answered_once(sides):
    requests, replies = sides
    asking = Background(lambda: requests.ask(b""))
    request = replies.recv()
    assert (request.body, len(request.header)) == (b"", 8)
    for nothing in (5, "text", None):
        with pytest.raises(TypeError):
            request.reply(nothing)
    request.reply(b"")
    with pytest.raises(WrongState):
        request.reply(b"")
    assert asking.result() == b""


@inproc
def test_a_reply_to_one_who_has_gone_is_dropped(address, open_socket):
    client = open_socket(SocketType.REQ)
    with Replies(address) as replies:
        client.connect(address)
        client.send(b"?")
        request = replies.recv()
        client.close()
        wait_for_connections(replies.socket, 0)
        request.reply(b"!")
        with pytest.raises(Again):
            replies.recv(DONTWAIT)


def test_only_raw_sockets_will_do(open_socket):
    for make, kind, domain in [
        (Requests, SocketType.REQ, nanomsg_rs.AF_SP),
        (Requests, SocketType.REP, AF_SP_RAW),
        (Replies, SocketType.REQ, AF_SP_RAW),
        (coroutines.Requests, SocketType.REQ, AF_SP_RAW),
    ]:
        with pytest.raises(NanomsgError) as caught:
            make(open_socket(kind, domain))
        assert caught.value.errno == errno.EINVAL
    for arguments, options in [(("nowhere",), {}), (([],), {"resend_interval": 0})]:
        with pytest.raises(NanomsgError) as caught:
            Requests(*arguments, **options)
        assert caught.value.errno == errno.EINVAL
    with Requests([]) as requests, pytest.raises(TypeError):
        requests.ask("text")


@every_way
def test_an_ordinary_replier_answers(address, open_socket):
    server = open_socket(SocketType.REP)
    server.bind(address)

    def answer():
        for _ in range(20):
            server.send(b"to " + server.recv())

    serving = Background(answer)
    with Requests(address) as requests, ThreadPoolExecutor(5) as pool:
        asked = [b"%d" % number for number in range(20)]
        answers = list(pool.map(lambda data: requests.ask(data, timeout=PATIENCE), asked))
    assert answers == [b"to " + data for data in asked]
    serving.result()


@every_way
def test_devices_on_the_way(new_address, open_socket):
    """Two of them: the whole header comes back, and replies find whoever asked."""
    places = [new_address() for _ in range(3)]
    forwarding, opened = [], []
    for front, back in zip(places, places[1:]):
        pair = Socket(SocketType.REP, AF_SP_RAW), Socket(SocketType.REQ, AF_SP_RAW)
        opened += pair
        pair[0].bind(front)
        pair[1].connect(back)
        forwarding.append(Background(lambda pair=pair: device(*pair)))
    with Replies(places[-1]) as replies, Requests(places[0]) as requests:
        replies.socket.recv_timeout = PATIENCE
        ordinary = open_socket(SocketType.REQ)
        ordinary.connect(places[0])
        ordinary.send(b"ordinary")
        asking = [Background(lambda n=n: requests.ask(b"%d" % n, PATIENCE)) for n in range(3)]
        received = [replies.recv() for _ in range(4)]
        assert {len(request.header) for request in received} == {16}
        for request in sorted(received, key=lambda request: request.body, reverse=True):
            request.reply(b"to " + request.body)
        assert [asked.result() for asked in asking] == [b"to 0", b"to 1", b"to 2"]
        assert ordinary.recv() == b"to ordinary"
    for socket in opened:
        socket.close()
    for ended in forwarding:
        with pytest.raises(BadSocket):
            ended.result()


@pytest.mark.skipif(shutil.which("nanocat") is None, reason="nanocat is not installed")
@pytest.mark.parametrize("transport", ["ipc", "tcp", "ws"])
def test_installed_nanocat_answers_and_asks(address, new_address):
    """Debian's, of the original library, where that is what is installed."""
    with subprocess.Popen(["nanocat", "--rep", "--bind", address, "--data", "from nanocat"]) as program:
        try:
            with Requests(address) as requests, ThreadPoolExecutor(4) as pool:
                answers = pool.map(lambda n: requests.ask(b"%d" % n, timeout=PATIENCE), range(20))
                assert list(answers) == [b"from nanocat"] * 20
        finally:
            program.kill()
    address = new_address()
    with Replies(address) as replies:
        replies.socket.recv_timeout = PATIENCE
        command = ["nanocat", "--req", "--connect", address, "--raw", "--data"]
        programs = [subprocess.Popen([*command, name], stdout=subprocess.PIPE) for name in ("a", "b")]
        try:
            received = sorted((replies.recv() for _ in programs), key=lambda request: request.body)
            for request in reversed(received):
                request.reply(b"to " + request.body)
            for name, program in zip("ab", programs):
                assert program.stdout.read(4) == b"to " + name.encode()
        finally:
            for program in programs:
                program.kill()
                program.communicate()


def greeted(stream, protocol):
    stream.sendall(b"\0SP\0" + struct.pack("!HH", protocol, 0))
    assert len(stream.recv(8, os_socket.MSG_WAITALL)) == 8


def frame(body):
    return struct.pack("!Q", len(body)) + body


def test_what_a_hostile_replier_says_is_nobodys(free_port):
    """Unknown ids, an id without its top bit, too few bytes for one, more words: the true reply arrives, and only it."""
    with os_socket.create_server(("127.0.0.1", free_port)) as listener:
        with Requests(f"tcp://127.0.0.1:{free_port}") as requests:
            asking = Background(lambda: requests.ask(b"?", timeout=PATIENCE))
            stream = listener.accept()[0]
            with stream:
                greeted(stream, SocketType.REP)
                request = stream.recv(13, os_socket.MSG_WAITALL)
                assert request == frame(request[8:12] + b"?")
                id = request[8:12]
                (number,) = struct.unpack("!I", id)
                unknown = struct.pack("!I", number ^ 1)
                no_id = struct.pack("!I", number & 0x7FFF_FFFF)
                for body in (b"", b"\x80", id[:3], unknown + b"no", no_id + b"no", no_id + id + b"no"):
                    stream.sendall(frame(body))
                stream.sendall(frame(id + b"yes") + frame(id + b"no"))
                assert asking.result() == b"yes"
                asking = Background(lambda: requests.ask(b"?", timeout=PATIENCE))
                id = stream.recv(13, os_socket.MSG_WAITALL)[8:12]
                stream.sendall(frame(id))
                assert asking.result() == b""


def test_what_a_hostile_client_asks_is_dropped(free_port):
    """Too short a header, one without its end, one too deep: the next request is served."""
    address = f"tcp://127.0.0.1:{free_port}"
    with Replies(address) as replies, os_socket.create_connection(("127.0.0.1", free_port)) as stream:
        replies.socket.recv_timeout = PATIENCE
        greeted(stream, SocketType.REQ)
        for body in (b"", b"\x80", b"\x80\0\0", bytes(4), bytes(40), bytes(4 * 300) + b"\x80\0\0\1deep"):
            stream.sendall(frame(body))
        stream.sendall(frame(b"\x80\0\0\5?"))
        request = replies.recv()
        assert (request.body, request.header[4:]) == (b"?", b"\x80\0\0\5")
        request.reply(b"!")
        assert stream.recv(13, os_socket.MSG_WAITALL) == frame(b"\x80\0\0\5!")


def test_a_flood_of_unknown_replies_stops_no_time_limit(free_port):
    with os_socket.create_server(("127.0.0.1", free_port)) as listener:
        with Requests(f"tcp://127.0.0.1:{free_port}") as requests:
            asking = Background(lambda: requests.ask(b"?", timeout=200))
            stream = listener.accept()[0]
            with stream:
                greeted(stream, SocketType.REP)
                flood = frame(b"\x80\0\0\0") * 100
                ended = threading.Event()

                def pour():
                    while not ended.is_set():
                        stream.send(flood, os_socket.MSG_DONTWAIT) if writable(stream) else None

                pouring = Background(pour)
                with pytest.raises(Timeout):
                    asking.result()
                ended.set()
                pouring.result()


def writable(stream):
    return select.select([], [stream], [], 0.01)[1]


# Coroutines.


async def server(replies, work):
    """Answers each request in a task of its own."""
    tasks = set()

    async def answer(request):
        await request.reply(await work(request.body))

    async for request in replies:
        task = asyncio.create_task(answer(request))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


@every_way
def test_a_thousand_coroutines_ask_at_once(run, address):
    async def work(body):
        await asyncio.sleep(0)
        return b"to " + body

    async def main():
        async with coroutines.Replies(address) as replies, coroutines.Requests(address) as requests:
            serving = asyncio.create_task(server(replies, work))
            asked = [b"%d" % number for number in range(1000)]
            answers = await asyncio.gather(*map(requests.ask, asked))
            assert answers == [b"to " + body for body in asked]
            assert not requests._outstanding and requests._reader is None
            await replies.aclose()
            await serving

    run(main())


@inproc
def test_coroutines_are_answered_in_any_order(run, address):
    async def main():
        async with coroutines.Replies(address) as replies, coroutines.Requests(address) as requests:
            asking = [asyncio.create_task(requests.ask(b"%d" % n)) for n in range(5)]
            received = [await replies.recv() for _ in asking]
            for request in reversed(received):
                await request.reply(b"to " + request.body)
                with pytest.raises(WrongState):
                    await request.reply(b"again")
            assert await asyncio.gather(*asking) == [b"to %d" % n for n in range(5)]

    run(main())


@inproc
def test_a_cancelled_coroutine_forgets_its_request(run, address):
    async def main():
        async with coroutines.Replies(address) as replies, coroutines.Requests(address) as requests:
            asking = asyncio.create_task(requests.ask(b"one"))
            late = await replies.recv()
            reader = requests._reader
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert not requests._outstanding and requests._reader is None
            while not reader.cancelled():
                await asyncio.sleep(0)
            asking = asyncio.create_task(requests.ask(b"two"))
            request = await replies.recv()
            await late.reply(b"to one")
            await request.reply(b"to two")
            assert await asking == b"to two"

    run(main())


@inproc
def test_a_coroutine_that_waits_for_a_peer_can_be_cancelled(run, address):
    async def main():
        async with coroutines.Requests(address) as requests:
            asking = asyncio.create_task(requests.ask(b"anybody?"))
            while not requests.socket._senders._waiting:
                await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert not requests._outstanding

    run(main())


@inproc
def test_coroutines_have_their_time_limits(run, address):
    async def main():
        async with coroutines.Replies(address) as replies, coroutines.Requests(address) as requests:
            patient = asyncio.create_task(requests.ask(b"patient", timeout=-1))
            kept = await replies.recv()
            with pytest.raises(Timeout):
                await requests.ask(b"hasty", timeout=20)
            await kept.reply(b"done")
            assert await patient == b"done"
            requests.socket.recv_timeout = 20
            with pytest.raises(Timeout):
                await requests.ask(b"as the socket says")
        async with coroutines.Requests("inproc://nobody") as requests:
            with pytest.raises(Timeout):
                await requests.ask(b"anybody?", timeout=20)

    run(main())


@inproc
def test_a_coroutines_request_is_sent_again(run, address, new_address):
    other = new_address()

    async def main():
        async with coroutines.Requests([address, other], resend_interval=20) as requests:
            async with coroutines.Replies(address) as replies:
                asking = asyncio.create_task(requests.ask(b"hello?"))
                first, second, third = [await replies.recv() for _ in range(3)]
                assert first.body == second.body == third.body == b"hello?"
                assert first.header == second.header == third.header
            tried = []
            send = requests._send

            def sent(*request):
                try:
                    send(*request)
                except Again:
                    tried.append(request)
                    raise

            requests._send = sent
            while not tried:
                await asyncio.sleep(0)
            async with coroutines.Replies(other) as replies:
                await (await replies.recv()).reply(b"yes")
                assert await asking == b"yes"
                # And not any more: while another one is sent three times, nothing else comes.
                asking = asyncio.create_task(requests.ask(b"and you?"))
                request = await replies.recv()
                while request.body == b"hello?":
                    request = await replies.recv()
                for _ in range(3):
                    request = await replies.recv()
                    assert request.body == b"and you?"
                await request.reply(b"fine")
                assert await asking == b"fine"

    run(main())


@inproc
@pytest.mark.parametrize("way", ["close", "aclose"])
def test_closing_ends_coroutines_that_wait(run, address, way):
    async def main():
        async with coroutines.Replies(address) as replies:
            requests = coroutines.Requests(address)
            asking = [asyncio.create_task(requests.ask(b"?")) for _ in range(3)]
            for _ in asking:
                await replies.recv()
            closed = getattr(requests, way)()
            if closed is not None:
                await closed
            for asked in asking:
                with pytest.raises(BadSocket):
                    await asked
            with pytest.raises(BadSocket):
                await requests.ask(b"?")

    run(main())


def test_a_flood_of_unknown_replies_lets_other_coroutines_run(run, free_port):
    async def main():
        listener = os_socket.create_server(("127.0.0.1", free_port))
        with listener:
            async with coroutines.Requests(f"tcp://127.0.0.1:{free_port}") as requests:
                asking = asyncio.create_task(requests.ask(b"?", timeout=PATIENCE))
                loop = asyncio.get_running_loop()
                stream = (await loop.run_in_executor(None, listener.accept))[0]
                with stream:
                    greeted_fully = loop.run_in_executor(None, greeted, stream, SocketType.REP)
                    await greeted_fully
                    request = await loop.run_in_executor(None, stream.recv, 13, os_socket.MSG_WAITALL)
                    flood = frame(b"\x80\0\0\0") * 50_000 + frame(request[8:12] + b"!")
                    pouring = loop.run_in_executor(None, stream.sendall, flood)
                    turns = 0
                    while not asking.done():
                        turns += 1
                        await asyncio.sleep(0)
                    await pouring
                    assert await asking == b"!"
                    assert turns > 50

    run(main())


def test_a_message_cannot_be_asked(run):
    """What is sent again has to stay: bytes, and not the library's memory that goes with sending."""
    with Requests([]) as requests, pytest.raises(TypeError):
        requests.ask(Message(b"x"))

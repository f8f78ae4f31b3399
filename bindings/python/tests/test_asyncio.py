"""Sockets for coroutines."""

from __future__ import annotations

import asyncio
import gc

import pytest

from nanomsg_rs import BadSocket, Message, NotSupported, SocketType, Timeout, WrongState
from nanomsg_rs.asyncio import Socket

PATIENCE = 10


@pytest.fixture
def run():
    """Runs a coroutine, and fails when it does not end."""

    def run(coroutine):
        try:
            return asyncio.run(asyncio.wait_for(coroutine, PATIENCE))
        finally:
            gc.collect()  # an unclosed socket warns, which is a failure

    return run


async def until_waiting(*queues):
    while not all(queue._waiting for queue in queues):
        await asyncio.sleep(0)


def test_a_coroutine_waits_for_a_message(run, address):
    async def main():
        async with Socket(SocketType.PAIR) as bound, Socket(SocketType.PAIR) as connected:
            bound.bind(address)
            connected.connect(address)
            receiving = asyncio.create_task(bound.recv())
            await until_waiting(bound._receivers)
            await connected.send(b"hello")
            assert await receiving == b"hello"

    run(main())


def test_a_coroutine_waits_for_a_peer_to_send_to(run, address):
    async def main():
        async with Socket(SocketType.PUSH) as push, Socket(SocketType.PULL) as pull:
            sending = asyncio.create_task(push.send(Message(b"hello")))
            await until_waiting(push._senders)
            push.bind(address)
            pull.connect(address)
            await sending
            assert await pull.recv_message() == b"hello"

    run(main())


def test_several_coroutines_share_a_socket(run, address):
    async def main():
        async with Socket(SocketType.PUSH) as push, Socket(SocketType.PULL) as pull:
            pull.bind(address)
            push.connect(address)
            receiving = [asyncio.create_task(pull.recv()) for _ in range(20)]
            await until_waiting(pull._receivers)
            await asyncio.gather(*(push.send(b"%d" % number) for number in range(20)))
            got = await asyncio.gather(*receiving)
            assert sorted(map(int, got)) == list(range(20))

    run(main())


def test_a_server_answers_many_clients(run, address):
    async def serve(server):
        while True:
            await server.send(b"re: " + await server.recv())

    async def ask(number):
        async with Socket(SocketType.REQ) as client:
            client.connect(address)
            await client.send(b"%d" % number)
            return await client.recv()

    async def main():
        async with Socket(SocketType.REP) as server:
            server.bind(address)
            serving = asyncio.create_task(serve(server))
            answers = await asyncio.gather(*(ask(number) for number in range(10)))
            assert answers == [b"re: %d" % number for number in range(10)]
            serving.cancel()

    run(main())


def test_the_loop_runs_on_while_a_coroutine_waits(run):
    async def main():
        async with Socket(SocketType.PAIR) as socket:
            receiving = asyncio.create_task(socket.recv())
            for _ in range(100):
                await asyncio.sleep(0)
            assert not receiving.done()
            receiving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await receiving

    run(main())


@pytest.mark.parametrize("transport", ["inproc"])
def test_a_cancelled_coroutine_takes_no_message(run, address):
    async def main():
        async with Socket(SocketType.PAIR) as bound, Socket(SocketType.PAIR) as connected:
            bound.bind(address)
            connected.connect(address)
            receiving = asyncio.create_task(bound.recv())
            await until_waiting(bound._receivers)
            await connected.send(b"for the next one")
            receiving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await receiving
            assert await bound.recv() == b"for the next one"

    run(main())


def test_time_limits_hold(run):
    async def main():
        async with Socket(SocketType.PAIR) as socket:
            socket.recv_timeout = socket.send_timeout = 20
            with pytest.raises(Timeout):
                await socket.recv()
            with pytest.raises(Timeout):
                await socket.send(b"x")

    run(main())


@pytest.mark.parametrize("transport", ["inproc"])
def test_a_survey_ends(run, address):
    async def main():
        async with Socket(SocketType.SURVEYOR) as asker, Socket(SocketType.RESPONDENT) as other:
            asker.bind(address)
            other.connect(address)
            asker.survey_deadline = 100
            await asker.send(b"?")
            await other.recv()
            with pytest.raises(Timeout):
                await asker.recv()

    run(main())


def test_what_can_never_be_fails_at_once(run):
    async def main():
        async with Socket(SocketType.SUB) as sub, Socket(SocketType.REP) as rep:
            with pytest.raises(NotSupported):
                await sub.send(b"x")
            with pytest.raises(WrongState):
                await rep.send(b"x")

    run(main())


@pytest.mark.parametrize("way", ["close", "aclose"])
def test_closing_ends_the_waiting(run, way):
    async def main():
        socket = Socket(SocketType.PAIR)
        receiving = asyncio.create_task(socket.recv())
        sending = asyncio.create_task(socket.send(b"x"))
        await until_waiting(socket._receivers, socket._senders)
        closed = getattr(socket, way)()
        if closed is not None:
            await closed
        for waiting in (receiving, sending):
            with pytest.raises(BadSocket):
                await waiting

    run(main())

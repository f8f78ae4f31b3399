"""The front of the web server: HTTP on one side, messages on the other.

usage: front.py PORT REQUESTS ANSWERS

Each HTTP request becomes a message on a PUSH socket, "FRONT CONNECTION\\n" and then the request as
it came. Whichever worker gets it publishes the answer under the same first line, and the front
hears it on a SUB socket that subscribes to its own name. What to do is the workers' business.
"""

import asyncio
import os
import re
import sys
from typing import Optional

from nanomsg_rs import DONTWAIT, Again, Socket, SocketType

PATIENCE = 2  # seconds until a request is given to another worker
TRIES = 3
BODY_MAX = 1 << 20


class Front:
    def __init__(self, requests: str, answers: str) -> None:
        self.name = f"front{os.getpid()}"
        self.waiting: dict[bytes, asyncio.Future] = {}
        self.taken = self.answered = self.again = 0
        self.push = Socket(SocketType.PUSH)
        self.push.bind(requests)
        self.sub = Socket(SocketType.SUB)
        self.sub.subscribe(f"{self.name} ".encode())
        self.sub.bind(answers)
        asyncio.get_running_loop().add_reader(self.sub.recv_fd, self.hear)

    def hear(self) -> None:
        """Give every answer that has come to the connection that waits for it."""
        while True:
            try:
                first, _, answer = self.sub.recv(DONTWAIT).partition(b"\n")
            except Again:
                return
            waiter = self.waiting.get(first)
            if waiter and not waiter.done():
                waiter.set_result(answer)

    async def ask_workers(self, request: bytes) -> bytes:
        """The answer of a worker. One that dies takes along what it had been handed already; a
        request that may be repeated goes to the next one then."""
        self.taken += 1
        first = f"{self.name} {self.taken}".encode()
        tries = TRIES if request.startswith((b"GET ", b"HEAD ")) else 1
        waiter = self.waiting[first] = asyncio.get_running_loop().create_future()
        try:
            for _ in range(tries):
                try:
                    self.push.send(first + b"\n" + request, DONTWAIT)
                except Again:
                    return error(503, "no worker is there")
                done, _ = await asyncio.wait([waiter], timeout=PATIENCE)
                if done:
                    self.answered += 1
                    return waiter.result()
                self.again += 1
            return error(504, "no worker has answered")
        finally:
            del self.waiting[first]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One HTTP connection, request after request."""
        try:
            while request := await read_request(reader):
                writer.write(await self.ask_workers(request))
                await writer.drain()
                if re.search(rb"\r\nConnection: *close", request, re.I):
                    break
        except ValueError as problem:
            writer.write(error(400, str(problem)))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def read_request(reader: asyncio.StreamReader) -> Optional[bytes]:
    """A whole request, or nothing at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise ValueError("the headers are too long") from None
    if not re.match(rb"[A-Z]+ /\S* HTTP/1\.[01]\r\n", head):
        raise ValueError("this is not HTTP/1.1")
    if re.search(rb"\r\nTransfer-Encoding:", head, re.I):
        raise ValueError("bodies need a Content-Length")
    length = re.search(rb"\r\nContent-Length: *(\d{1,9})\r\n", head, re.I)
    size = int(length[1]) if length else 0
    if size > BODY_MAX:
        raise ValueError("the body is too long")
    return head + await reader.readexactly(size)


def error(status: int, text: str) -> bytes:
    reasons = {400: "Bad Request", 503: "Service Unavailable", 504: "Gateway Timeout"}
    body = f"{text}\n".encode()
    return f"HTTP/1.1 {status} {reasons[status]}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def main(port: str, requests: str, answers: str) -> None:
    front = Front(requests, answers)
    server = await asyncio.start_server(front.serve, "127.0.0.1", int(port), backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
    while True:
        await asyncio.sleep(1)
        print(f"taken {front.taken} answered {front.answered} again {front.again}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        asyncio.run(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        pass

"""The Python half of the demo: connects to the address where pair_demo.c listens.

usage: pair_demo.py ADDRESS
"""

import sys

from nanomsg_rs import Socket, SocketType

PATIENCE = 10_000  # ms


def hear(socket: Socket) -> None:
    print(f"Python hears: {socket.recv().decode()}", flush=True)


def main(address: str) -> None:
    with Socket(SocketType.PAIR) as socket:
        socket.send_timeout = socket.recv_timeout = PATIENCE
        socket.connect(address)
        print(f"Python dials: {address}", flush=True)

        socket.send(b"Hello, C! This is Python %d.%d." % sys.version_info[:2])
        hear(socket)
        socket.send("Glad to meet you. News travel fast between us, señor!".encode())
        hear(socket)
        socket.send(b"Ready when you are.")

        while (message := socket.recv()) != b"goodbye":
            socket.send(message)
        print("Python hears: goodbye", flush=True)
        socket.send(b"Goodbye, C!")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

"""Says something to a control socket and prints the answer.

usage: ask.py ADDRESS WORD...     (as in: ask.py ipc:///tmp/daemon.control interval 500)
"""

import sys

from nanomsg_rs import Socket, SocketType, Timeout


def main(address: str, *words: str) -> None:
    with Socket(SocketType.REQ) as control:
        control.recv_timeout = 5000
        control.connect(address)
        control.send(" ".join(words).encode())
        try:
            answer = control.recv().decode()
        except Timeout:
            sys.exit(f"nobody answers at {address}")
    print(answer)
    sys.exit(answer.startswith("error"))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])

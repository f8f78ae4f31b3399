"""The second synthesiser, in Python: the difference between the prices of two instruments.

usage: spread.py FEED PUBLISH FIRST SECOND

After every tick of one of them it publishes "spread/FIRST-SECOND N DIFFERENCE TICK".
"""

import sys

from nanomsg_rs import Socket, SocketType, Timeout
from report import Losses, Report, reported, roomy


def main(feed: str, publish: str, first: str, second: str) -> None:
    report, losses = Report(), Losses()
    topic, sent, prices = f"spread/{first}-{second}", 0, {}
    with (
        roomy(Socket(SocketType.SUB), "spread.in") as ticks,
        roomy(Socket(SocketType.PUB), "spread.out") as out,
        reported(ticks, out),
    ):
        out.bind(publish)
        for name in (first, second):
            ticks.subscribe(f"tick/{name} ".encode())  # the blank ends the name
        ticks.recv_timeout = 1000
        ticks.connect(feed)
        while True:
            report.when_due(seen=losses.seen, lost=losses.lost, sent=sent)
            try:
                name, n, price, _ = ticks.recv().split()
            except Timeout:
                continue
            losses.count(name, int(n))
            prices[name.decode().removeprefix("tick/")] = float(price)
            if len(prices) == 2:
                sent += 1
                difference = prices[first] - prices[second]
                out.send(f"{topic} {sent} {difference:.2f} {int(n)}".encode())


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])

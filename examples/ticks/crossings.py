"""A consumer with prefix subscriptions: says when a price crosses its moving average.

usage: crossings.py COMBINED PREFIX...     (as in: crossings.py ipc:///tmp/combined AAPL.00)
"""

import sys

from nanomsg_rs import Socket, SocketType, Timeout
from report import Losses, Report, reported, roomy


def main(combined: str, *prefixes: str) -> None:
    report, losses = Report(), Losses()
    prices: dict[str, float] = {}
    above: dict[str, bool] = {}
    with roomy(Socket(SocketType.SUB), "crossings.in") as feed, reported(feed):
        for prefix in prefixes:
            feed.subscribe(f"tick/{prefix}".encode())
            feed.subscribe(f"avg/{prefix}".encode())
        feed.recv_timeout = 1000
        feed.connect(combined)
        while True:
            report.when_due(seen=losses.seen, lost=losses.lost)
            try:
                topic, n, value, _ = feed.recv().split()
            except Timeout:
                continue
            losses.count(topic, int(n))
            kind, name = topic.decode().split("/")
            if kind == "tick":
                prices[name] = float(value)
            elif name in prices:
                is_above = prices[name] > float(value)
                if above.get(name, is_above) != is_above:
                    print(f"! {name} crosses its average, going {'up' if is_above else 'down'}", flush=True)
                above[name] = is_above


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])

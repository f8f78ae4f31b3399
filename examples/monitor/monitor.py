#!/usr/bin/env python3
"""Shows a running network: its sockets, endpoints and peers, what passes, what waits, what is lost, and what happens.

usage: monitor.py [--once] [--page] [--port N] [NAME=]ADDRESS...

An ADDRESS is where a program reports on its sockets (nanomsg_rs.reporting, reporter.c), or where a socket publishes its events
(NN_MONITOR; `nanocat --monitor=ADDRESS`). A path stands for ipc:// and the path. On a terminal the picture is kept up to date;
elsewhere there is a line for whatever is new. --once prints one picture, with rates, and ends. --page shows the same to
browsers, at the http address that is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(TOP / "bindings" / "python"))
os.environ.setdefault("NANOMSG_LIBRARY", str(TOP / "target" / "lib" / "libnanomsg.so.6"))

from nanomsg_rs import DONTWAIT, POLLIN, Again, Socket, SocketType, poll  # noqa: E402
from network import Network  # noqa: E402

PATIENCE = 10.0  # seconds that --once waits for everybody to report
FRAME = 0.25  # seconds between two pictures on a terminal
LAST = 8  # events for which there is room on a terminal in any case


def place(argument: str) -> tuple[str, str]:
    """[NAME=]ADDRESS as name and address. Unless told, the name is the last part of the address."""
    name, equals, address = argument.partition("=")
    if not equals or "/" in name:
        name, address = "", argument
    if "://" not in address:
        address = f"ipc://{os.path.abspath(address)}"
    return name or address.rstrip("/").rpartition("/")[2].removesuffix(".monitor"), address


class Ears:
    """A SUB for each place: what is heard is known by where it comes from, as sockets of two programs may share a name."""

    def __init__(self, places: list[tuple[str, str]]) -> None:
        self.names: dict[Socket, str] = {}
        for name, address in places:
            subscriber = Socket(SocketType.SUB)
            subscriber.subscribe(b"")
            subscriber.recv_max_size = -1
            subscriber.connect(address)
            self.names[subscriber] = name

    def close(self) -> None:
        for subscriber in self.names:
            subscriber.close()

    def hear(self, seconds: float) -> Iterator[tuple[str, str]]:
        """What has come, after waiting for the first for so long: name and message."""
        for subscriber, _ in poll([(ear, POLLIN) for ear in self.names], max(0, int(seconds * 1000))):
            with contextlib.suppress(Again):
                while True:
                    yield self.names[subscriber], subscriber.recv(DONTWAIT).decode("utf-8", "replace")


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/":
            self.send_error(404)
            return
        body = (HERE / "page.html").read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Browsers:
    """Hands on to a page what is heard. Browsers reach only ws, and one connection is enough for them."""

    def __init__(self, port: int) -> None:
        self.out = Socket(SocketType.PUB)
        feed = self.out.bind("ws://127.0.0.1:0").address
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Page)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}/?{quote(feed, safe=':/')}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.out.close()

    def tell(self, source: str, message: str) -> None:
        name, _, text = message.partition(" ")
        self.out.send(f"{name} {json.dumps(json.loads(text) | {'source': source})}".encode())


def once(ears: Ears, network: Network, places: list[tuple[str, str]]) -> int:
    """Rates take two reports; the first round of everybody's shows who there is, the second is complete with its last."""
    missing, end = {name for name, _ in places}, time.monotonic() + PATIENCE
    while missing and time.monotonic() < end:
        for source, message in ears.hear(min(1, end - time.monotonic())):
            network.take(source, message)
        rated = {source for source, *_ in network.sockets}
        rated -= {watched.source for watched in network.sockets.values() if not watched.before}
        missing = {name for name, _ in places} - rated
    print("\n".join(network.lines(events=10)), flush=True)
    silent = {name for name, _ in places} - {source for source, *_ in network.sockets}
    for name in sorted(silent):
        print(f"{name} has not reported in {PATIENCE:.0f} s", file=sys.stderr)
    return 1 if silent else 0


def picture(network: Network) -> str:
    """As much as the terminal has room for. Where it is too small connections give way first, and then endpoints."""
    columns, rows = shutil.get_terminal_size()
    lines, events = network.lines(events=0), list(network.events)
    room = rows - 3 - (1 + min(len(events), LAST) if events else 0)
    for indented in ("    ", "  "):
        if len(lines) > room:
            lines = [line for line in lines if not line.startswith(indented)]
    lines = lines[:room]
    if events:
        lines += ["", *events[len(lines) + 4 - rows :]]
    head = f"{time.strftime('%H:%M:%S')}   {len(network.sockets)} sockets" if network.sockets else "nothing is heard so far"
    return "".join(f"{line[:columns]}\033[K\r\n" for line in [f"{head}   (Ctrl-C ends)", *lines])


def show(ears: Ears, network: Network, browsers: Browsers | None) -> None:
    terminal, due = sys.stdout.isatty(), 0.0
    # The other screen of the terminal, and no cursor: what was there before comes back afterwards.
    print("\033[?1049h\033[?25l" if terminal else "", end="", flush=True)
    try:
        while True:
            for source, message in ears.hear(FRAME):
                if browsers:
                    browsers.tell(source, message)
                new = network.take(source, message)
                if not terminal:
                    print("\n".join(new), flush=True)
            if terminal and time.monotonic() >= due:
                due = time.monotonic() + FRAME
                where = f"{browsers.address}\033[K\r\n" if browsers else ""
                print(f"\033[H{where}{picture(network)}\033[J", end="", flush=True)
    finally:
        print("\033[?25h\033[?1049l" if terminal else "", end="", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("places", nargs="+", metavar="[NAME=]ADDRESS", help="where a program reports on its sockets")
    parser.add_argument("--once", action="store_true", help="print one picture, and end")
    parser.add_argument("--page", action="store_true", help="show it to browsers too")
    parser.add_argument("--port", type=int, default=0, help="of the page; any unless told")
    options = parser.parse_args()
    places = [place(argument) for argument in options.places]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    with contextlib.closing(Ears(places)) as ears, contextlib.suppress(KeyboardInterrupt):
        if options.once:
            return once(ears, Network(), places)
        if not options.page:
            show(ears, Network(), None)
        with contextlib.closing(Browsers(options.port)) as browsers:
            print(browsers.address, flush=True)
            show(ears, Network(), browsers)
    return 0


if __name__ == "__main__":
    sys.exit(main())

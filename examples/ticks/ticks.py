#!/usr/bin/env python3
"""The market data network: starts all its programs, shows what they do, and stops them.

usage: ticks.py [--rate N] [--seconds N] [--edges ipc|tcp|tls] [--edge NAME=ADDRESS]... [--certificates FOLDER]
                [--store sqlite:PATH|redis:HOST:PORT] [--monitor]

Every arrow of the picture in README.md is an address in the table that is printed first. The
programs are told nothing else: `--edges tcp` or `--edge average=tcp://127.0.0.1:7001` is all it
takes to have an arrow run over another transport. With TLS they are told their certificates, too.
"""

import argparse
import contextlib
import http.server
import os
import shutil
import signal
import socket as tcp
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from functools import partial
from pathlib import Path
from typing import Optional

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
BUILT = TOP / "target" / "examples" / "ticks"
sys.path.insert(0, str(TOP / "bindings" / "python"))
os.environ.setdefault("NANOMSG_LIBRARY", str(TOP / "target" / "lib" / "libnanomsg.so.6"))

from nanomsg_rs import Socket, SocketType  # noqa: E402
from report import identify  # noqa: E402

EDGES = ("feed", "feed.control", "average", "spread", "statistics.control", "combined", "mirror", "page")
PATIENCE = 20  # seconds for programs to find each other
LANGUAGES = {
    "feed": "C", "average": "Rust", "spread": "Python", "statistics": "C", "combiner": "C",
    "movers": "C++", "crossings": "Python", "snapshot": "Python",
}  # fmt: skip


def free_port() -> int:
    with tcp.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def addresses(folder: Path, kind: str) -> dict[str, str]:
    """An address for each edge. The page's is ws or wss, for a browser; the mirror stays in the combiner."""
    scheme, of_page = {"ipc": ("ipc", "ws"), "tcp": ("tcp", "ws"), "tls": ("tls+tcp", "wss")}[kind]

    def of(edge: str) -> str:
        if edge == "mirror" and kind == "ipc":
            return "inproc://mirror"
        if kind == "ipc" and edge != "page":
            return f"ipc://{folder}/{edge}"
        return f"{of_page if edge == 'page' else scheme}://127.0.0.1:{free_port()}"

    return {edge: of(edge) for edge in EDGES}


def first_symbols() -> tuple[str, str]:
    lines = (BUILT / "prices.csv").read_text().splitlines()
    symbols = sorted({line.split(",")[0] for line in lines if not line.startswith("#")})
    return symbols[0], symbols[-1]


class Network:
    """The programs, their addresses, and the figures they print."""

    def __init__(
        self,
        folder: Path,
        edges: str = "ipc",
        store: str = "",
        monitored: bool = False,
        certificates: Optional[Path] = None,
        **changed: str,
    ) -> None:
        self.at = addresses(folder, edges) | changed
        self.store = store or f"sqlite:{folder}/snapshot.db"
        self.commands = self._commands()
        # Where each program reports on its sockets. Of ipc whatever the edges are: watchers are on this machine.
        self.monitors = {name: f"ipc://{folder}/{name}.monitor" for name in self.commands} if monitored else {}
        self.certificates = certificates or folder
        if any(address.startswith(("tls+tcp://", "wss://")) for address in self.at.values()):
            self._make_certificates()
        self.figures: dict[str, dict[str, int]] = {name: {} for name in self.commands}
        self.rates: dict[str, dict[str, float]] = {name: {} for name in self.commands}
        self.news: deque[str] = deque(maxlen=5)
        self.running: dict[str, subprocess.Popen] = {}
        self.told = threading.Condition()

    def _commands(self) -> dict[str, list[str]]:
        at = self.at
        first, second = first_symbols()

        def built(name: str) -> str:
            return str(BUILT / name)

        def python(name: str) -> list[str]:
            return [sys.executable, str(HERE / name)]

        commands = {
            "feed": [built("feed"), str(BUILT / "prices.csv"), at["feed"], at["feed.control"]],
            "average": [built("average"), at["feed"], at["average"]],
            "spread": [*python("spread.py"), at["feed"], at["spread"], f"{first}.000", f"{second}.000"],
            "statistics": [built("statistics"), at["feed"], at["statistics.control"]],
            # Two devices: the combiner, and the reflector that shows the same to browsers.
            "combiner": [built("device"), at["feed"], at["average"], at["spread"], "--", at["combined"], at["mirror"],
                         "+", at["mirror"], "--", at["page"]],
            "movers": [built("movers"), at["combined"]],
            "crossings": [*python("crossings.py"), at["combined"], f"{first}.00"],
            "snapshot": [*python("snapshot.py"), at["combined"], self.store],
        }  # fmt: skip
        if not os.path.exists(built("movers")):
            print("no C++ compiler: the network does without movers", file=sys.stderr)
            del commands["movers"]
        return commands

    def _make_certificates(self) -> None:
        """For each program, and for whoever asks them. Those that are there stay."""
        self.certificates.mkdir(exist_ok=True)
        missing = [name for name in (*self.commands, "control") if not self.certificate(name)]
        subprocess.run([HERE / "certificates.sh", self.certificates, *missing], check=True)

    def certificate(self, name: str) -> str:
        file = self.certificates / f"{name}.pem"
        return str(file) if file.exists() else ""

    def start(self) -> None:
        """Start every program, and wait until they are all connected."""
        for name in self.commands:
            self.start_one(name)
        self.wait_until_connected()

    def wait_until_connected(self) -> None:
        behind = sum(name in self.commands for name in ("movers", "crossings", "snapshot"))
        self.wait(lambda: self.figures["feed"].get("subscribers") == 4, "the feed's subscribers")
        self.wait(lambda: self.figures["combiner"].get("feeds") == 3, "the combiner's feeds")
        # and the mirror
        self.wait(lambda: self.figures["combiner"].get("subscribers") == behind + 1, "the combiner's subscribers")

    def start_one(self, name: str) -> None:
        python_path = os.pathsep.join([str(TOP / "bindings" / "python"), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {"PYTHONPATH": python_path, "PYTHONDONTWRITEBYTECODE": "1",
                                    "TICKS_MONITOR": self.monitors.get(name, "")}  # fmt: skip
        if own := self.certificate(name):
            environment |= {"TICKS_CA": self.certificate("ca"), "TICKS_CERTIFICATE": own}
        self.running[name] = subprocess.Popen(
            self.commands[name], stdout=subprocess.PIPE, text=True, env=environment
        )
        self.figures[name], self.rates[name] = {}, {}
        threading.Thread(target=self._listen, args=(name, self.running[name]), daemon=True).start()

    def _listen(self, name: str, program: subprocess.Popen) -> None:
        """A program prints either "word number word number ..." or news beginning with "!"."""
        then = time.monotonic()
        for line in program.stdout:
            now = time.monotonic()
            with self.told:
                if line.startswith("!"):
                    self.news.append(f"{name}: {line[1:].strip()}")
                elif self.running.get(name) is program:
                    words = line.split()
                    figures, before = dict(zip(words[::2], map(int, words[1::2]))), self.figures[name]
                    self.rates[name] = {word: (figures[word] - before.get(word, 0)) / (now - then) for word in figures}
                    self.figures[name], then = figures, now
                self.told.notify_all()

    def wait(self, true, what: str, patience: float = PATIENCE) -> None:
        with self.told:
            if not self.told.wait_for(true, patience):
                raise TimeoutError(f"waited for {what}; the figures are {self.figures}")

    def ask(self, daemon: str, question: str) -> str:
        """What the feed or the statistics answer on their control socket."""
        with Socket(SocketType.REQ) as request:
            request.recv_timeout = 5000
            identify(request, self.certificate("ca"), self.certificate("control"))
            request.connect(self.at[f"{daemon}.control"])
            request.send(question.encode())
            return request.recv().decode()

    def stop_one(self, name: str) -> int:
        program = self.running.pop(name)
        program.terminate()
        try:
            return program.wait(10)
        except subprocess.TimeoutExpired:
            program.kill()
            return program.wait()

    def stop(self) -> dict[str, int]:
        """Stop the programs, from the feed onwards; how each has ended."""
        return {name: self.stop_one(name) for name in list(self.running)}

    def mend(self) -> None:
        """Start anew what has ended; its neighbours connect to it again by themselves."""
        for name, program in list(self.running.items()):
            if program.poll() is not None:
                self.news.append(f"{name} has ended ({program.returncode}) and is started again")
                self.start_one(name)


class Page(http.server.BaseHTTPRequestHandler):
    """Serves page.html, with the address its script is to connect to."""

    def __init__(self, feed: str, *arguments) -> None:
        self.feed = feed
        super().__init__(*arguments)

    def do_GET(self) -> None:
        if self.path != "/":
            self.send_error(404)
            return
        body = (HERE / "page.html").read_text().replace("FEED_ADDRESS", self.feed).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


@contextlib.contextmanager
def page_server(feed: str):
    """The page's http address, for as long as the `with` block lasts."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Page, feed)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def show(network: Network) -> None:
    lines = []
    for name, figures in network.figures.items():
        words = []
        for word, number in figures.items():
            rate = f" ({network.rates[name][word]:,.0f}/s)" if word in ("sent", "seen") else ""
            words.append(f"{word} {number:,}{rate}")
        lines.append(f"  {name:<11}{LANGUAGES[name]:<8}{'   '.join(words)}")
    lines += [f"  ! {news}" for news in network.news]
    if sys.stdout.isatty():
        print("\n".join(f"{line}\033[K" for line in lines) + f"\033[J\033[{len(lines) - 1}A\r", end="", flush=True)
    else:
        print("\n".join(lines), end="\n\n", flush=True)


def build() -> None:
    subprocess.run(["make", "-s", "-C", str(HERE), f"PYTHON={sys.executable}"], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rate", type=float, default=2000, help="ticks a second")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for how long; else until Ctrl-C")
    parser.add_argument("--edges", choices=("ipc", "tcp", "tls"), default="ipc", help="transport of all edges")
    parser.add_argument("--edge", action="append", default=[], metavar="NAME=ADDRESS", help="one edge's address")
    parser.add_argument("--certificates", type=Path, help="where those of TLS are kept; else they are made anew each time")
    parser.add_argument("--monitor", action="store_true", help="let examples/monitor watch every socket")
    parser.add_argument("--store", default="", help="sqlite:PATH or redis:HOST:PORT")
    options = parser.parse_args()
    changed = dict(edge.split("=", 1) for edge in options.edge)
    if unknown := changed.keys() - set(EDGES):
        parser.error(f"no such edge: {', '.join(unknown)}; there are {', '.join(EDGES)}")

    build()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    folder = Path(tempfile.mkdtemp(prefix="ticks-"))
    network = Network(folder, options.edges, options.store, options.monitor, options.certificates, **changed)
    try:
        with page_server(network.at["page"]) as page:
            network.start()
            print((BUILT / "prices.csv").read_text().split("\n", 1)[0].replace("#", "prices:"))
            for edge, address in network.at.items():
                print(f"  {edge:<19}{address}")
            print(f"  {'store':<19}{network.store}\n  {'in a browser':<19}{page}\n", flush=True)
            if network.at["page"].startswith("wss:"):
                print(f"the browser has to trust {network.certificate('ca')}\n", flush=True)
            if network.monitors:
                print(f"to watch its sockets: {HERE.parent / 'monitor' / 'monitor.py'} {folder}/*.monitor\n", flush=True)
            network.ask("feed", f"rate {options.rate:g}")
            network.ask("feed", "start")
            end = time.monotonic() + options.seconds
            while (now := time.monotonic()) < end:
                time.sleep(min(1, end - now))
                show(network)
                network.mend()
            network.ask("feed", "stop")
            if sys.stdout.isatty():
                print("\n" * (len(network.figures) + len(network.news)))
            print("statistics:", network.ask("statistics", "count"))
            print("statistics:", network.ask("statistics", f"vwap {first_symbols()[0]}"))
    except KeyboardInterrupt:
        print("\n" * (len(network.figures) + len(network.news)))
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        ended = network.stop()
        shutil.rmtree(folder, ignore_errors=True)
        unclean = {name: code for name, code in ended.items() if code not in (0, -signal.SIGTERM, -signal.SIGINT)}
        print("all stopped" if not unclean else f"ended badly: {unclean}")
        if unclean:
            sys.exit(1)


if __name__ == "__main__":
    main()

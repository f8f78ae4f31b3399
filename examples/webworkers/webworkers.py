#!/usr/bin/env python3
"""The web server whose concurrency is messaging: starts the front and its workers.

usage: webworkers.py [--workers N] [--milliseconds N] [--port N] [--tcp] [--seconds N]
       webworkers.py --measure      (throughput against the number of workers; needs wrk)
"""

import argparse
import os
import re
import shutil
import signal
import socket as tcp
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
WORKER_IN_C = TOP / "target" / "examples" / "webworkers" / "worker"
LIBRARY = TOP / "target" / "lib" / "libnanomsg.so.6"
ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join([str(TOP / "bindings" / "python"), os.environ.get("PYTHONPATH", "")]),
    "PYTHONDONTWRITEBYTECODE": "1",
    "NANOMSG_LIBRARY": os.environ.get("NANOMSG_LIBRARY", str(LIBRARY)),
}


def free_port() -> int:
    with tcp.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A front, and workers that can be added and taken away while it runs."""

    def __init__(self, folder: str, over_tcp: bool = False, port: int = 0) -> None:
        if over_tcp:
            self.requests, self.answers = (f"tcp://127.0.0.1:{free_port()}" for _ in range(2))
        else:
            self.requests, self.answers = f"ipc://{folder}/requests", f"ipc://{folder}/answers"
        self.workers: list[subprocess.Popen] = []
        self.front = subprocess.Popen(
            [sys.executable, str(HERE / "front.py"), str(port), self.requests, self.answers],
            stdout=subprocess.PIPE, text=True, env=ENVIRONMENT,
        )  # fmt: skip
        self.http = self.front.stdout.readline().strip()
        if not self.http:
            raise SystemExit("the front did not start")
        self.figures = ""
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self.front.stdout:
            self.figures = line.strip()

    def add_worker(self, milliseconds: float = 0, language: str = "Python") -> subprocess.Popen:
        program = [str(WORKER_IN_C)] if language == "C" else [sys.executable, str(HERE / "worker.py")]
        worker = subprocess.Popen([*program, self.requests, self.answers, str(milliseconds)], env=ENVIRONMENT)
        self.workers.append(worker)
        return worker

    def stop(self) -> None:
        for program in [self.front, *self.workers]:
            program.terminate()
            program.wait()
        self.front.stdout.close()


def build() -> None:
    subprocess.run(["make", "-s", "-C", str(HERE)], check=True)


def load(http: str, seconds: float, connections: int = 64) -> float:
    """Requests a second, as wrk counts them."""
    said = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", http], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    return float(re.search(r"Requests/sec: *([\d.]+)", said)[1])


def measure(folder: str, milliseconds: float) -> None:
    if shutil.which("wrk") is None:
        raise SystemExit("this needs wrk")
    print(f"workers in C that take {milliseconds:g} ms over each request:")
    server = Server(folder)
    try:
        for count in (1, 2, 4, 8, 16):
            while len(server.workers) < count:
                server.add_worker(milliseconds, "C")
            load(server.http, 1)  # until all have joined
            print(f"  {count:2} workers  {load(server.http, 4):8,.0f} requests/s", flush=True)
    finally:
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--milliseconds", type=float, default=5, help="that a worker takes over a request")
    parser.add_argument("--port", type=int, default=0, help="of the web server; else a free one")
    parser.add_argument("--tcp", action="store_true", help="between front and workers, too")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--measure", action="store_true")
    options = parser.parse_args()
    build()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with tempfile.TemporaryDirectory(prefix="webworkers-") as folder:
        if options.measure:
            measure(folder, options.milliseconds)
            return
        server = Server(folder, options.tcp, options.port)
        try:
            for i in range(options.workers):
                server.add_worker(options.milliseconds, "C" if i % 2 else "Python")
            print(f"  requests   {server.requests}\n  answers    {server.answers}\n  web        {server.http}")
            print(f"one more worker, from another terminal:\n  PYTHONPATH={TOP}/bindings/python python3 "
                  f"{HERE}/worker.py {server.requests} {server.answers}", flush=True)  # fmt: skip
            end = time.monotonic() + options.seconds
            while (left := end - time.monotonic()) > 0:
                time.sleep(min(1, left))
                alive = sum(worker.poll() is None for worker in server.workers)
                print(f"{alive} workers of mine; {server.figures}", flush=True)
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            server.stop()
            print("all stopped")


if __name__ == "__main__":
    main()

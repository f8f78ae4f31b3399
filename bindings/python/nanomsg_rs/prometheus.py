"""Statistics of sockets for Prometheus.

::

    with serve([jobs, results], 9310):  # http://127.0.0.1:9310/metrics
        ...

``to_text`` makes Prometheus' text of documents as ``Socket.report`` returns them, for a web server of one's own. What the
metrics mean is in docs/prometheus.md.

``python3 -m nanomsg_rs.prometheus ADDRESS...`` does the same for programs in any language whose sockets are reported at these
addresses (``reporting.Reporter``, ``examples/monitor/reporter.c``).
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Type

from .constants import SocketType
from .errors import BadSocket
from .socket import BaseSocket, Socket

if TYPE_CHECKING:
    from typing_extensions import Self

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FORGET = 10.0  # seconds after which a socket that reports no more is left out

_Document = Mapping[str, Any]
_Labels = tuple[tuple[str, str], ...]

# The members of a document's counters: metric, and what it is.
COUNTERS = {
    "established_connections": ("connections_established_total", "Connections that connecting has made."),
    "accepted_connections": ("connections_accepted_total", "Connections accepted."),
    "dropped_connections": ("connections_dropped_total", "Connections that this side has ended."),
    "broken_connections": ("connections_broken_total", "Connections that the other side or the network has ended."),
    "connect_errors": ("connect_errors_total", "Attempts to connect that failed."),
    "bind_errors": ("bind_errors_total", "Attempts to bind that failed."),
    "accept_errors": ("accept_errors_total", "Connections that could not be accepted."),
    "messages_sent": ("messages_sent_total", "Messages that were sent."),
    "messages_received": ("messages_received_total", "Messages that were received."),
    "bytes_sent": ("bytes_sent_total", "Bytes of the messages that were sent."),
    "bytes_received": ("bytes_received_total", "Bytes of the messages that were received."),
    "messages_overflowed": ("messages_overflowed_total", "Messages that a peer missed because it had no room for them."),
    "messages_filtered": ("messages_filtered_total", "Messages that were not sent to a peer that had not subscribed."),
    "messages_conflated": ("messages_conflated_total", "Messages in whose place a newer one came."),
}
GAUGES = {
    "current_connections": ("connections", "Connections that there are."),
    "inprogress_connections": ("connections_in_progress", "Connections that are being made."),
    "current_ep_errors": ("endpoints_failing", "Endpoints whose last attempt failed."),
}
ENDPOINT_COUNTERS = {
    "connected": ("endpoint_connected_total", "Connections that an endpoint had so far."),
    "failed": ("endpoint_failed_total", "Attempts of an endpoint to connect or accept that failed."),
}
ENDPOINT_GAUGES = {"connections": ("endpoint_connections", "Connections that an endpoint has.")}
QUEUES = {
    "send_queue_bytes": ("send_queue_bytes", "Bytes accepted for sending that the kernel has not taken."),
    "recv_queue_bytes": ("recv_queue_bytes", "Bytes read that the program has not received."),
}
CONNECTION_COUNTERS = {
    "messages_sent": ("connection_messages_sent_total", "Messages sent over a connection."),
    "messages_received": ("connection_messages_received_total", "Messages received over a connection."),
    "bytes_sent": ("connection_bytes_sent_total", "Bytes sent over a connection, with headers."),
    "bytes_received": ("connection_bytes_received_total", "Bytes received over a connection, with headers."),
}
CONNECTION_GAUGES = {
    "send_queue_bytes": ("connection_send_queue_bytes", "Of a connection: bytes that the kernel has not taken."),
    "recv_queue_bytes": ("connection_recv_queue_bytes", "Of a connection: bytes that the program has not received."),
}
_RTT = ("rtt_seconds_max", "The longest round-trip time of a connection.")
_CONNECTION_RTT = ("connection_rtt_seconds", "Round-trip time of a connection.")


def to_text(documents: Iterable[_Document], connections: bool = False) -> str:
    """Prometheus' text exposition format of documents.

    With ``connections`` each connection has time series of its own: for sockets with few peers that stay.
    What has the same labels is added up, so that no series is there twice.
    """
    families = _Families()
    for told in documents:
        socket = (("socket", str(told["socket"])), ("type", str(told["type"])))
        counters = told["counters"]
        for member, metric in COUNTERS.items():
            families.add(metric, "counter", socket, counters.get(member, 0))
        for member, metric in GAUGES.items():
            families.add(metric, "gauge", socket, counters.get(member, 0))
        endpoints: dict[int, _Labels] = {}
        for endpoint in told["endpoints"]:
            labels: _Labels = (*socket, ("endpoint", str(endpoint["address"])), ("kind", str(endpoint["kind"])))
            endpoints[endpoint["id"]] = labels
            for member, metric in ENDPOINT_COUNTERS.items():
                families.add(metric, "counter", labels, endpoint[member])
            for member, metric in ENDPOINT_GAUGES.items():
                families.add(metric, "gauge", labels, endpoint[member])
        for metric in QUEUES.values():
            families.add(metric, "gauge", socket, 0)
        for connection in told["connections"]:
            rtt = connection.get("rtt_us")
            for member, metric in QUEUES.items():
                families.add(metric, "gauge", socket, connection[member])
            if rtt is not None:
                families.add(_RTT, "gauge", socket, rtt / 1e6, max)
            if connections:
                # Of an endpoint that has been shut down connections may be left for a moment.
                gone = (*socket, ("endpoint", ""), ("kind", ""))
                labels = (*endpoints.get(connection["endpoint"], gone), ("peer", _peer(connection["peer"])))
                for member, metric in CONNECTION_COUNTERS.items():
                    families.add(metric, "counter", labels, connection[member])
                for member, metric in CONNECTION_GAUGES.items():
                    families.add(metric, "gauge", labels, connection[member])
                if rtt is not None:
                    families.add(_CONNECTION_RTT, "gauge", labels, rtt / 1e6, max)
    return "".join(families.lines())


def _peer(peer: Mapping[str, Any]) -> str:
    """What a peer is called: its address, its process, or the number of the connection."""
    if "address" in peer:
        return str(peer["address"])
    return f"pid {peer['pid']}" if "pid" in peer else f"pipe {peer['pipe']}"


class _Families:
    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[str, dict[_Labels, float]]] = {}

    def add(
        self,
        metric: tuple[str, str],
        kind: str,
        labels: _Labels,
        value: float,
        join: Callable[[float, float], float] = lambda one, other: one + other,
    ) -> None:
        _, series = self._known.setdefault(metric, (kind, {}))
        series[labels] = join(series[labels], value) if labels in series else value

    def lines(self) -> Iterator[str]:
        for (name, meaning), (kind, series) in self._known.items():
            yield f"# HELP nanomsg_{name} {meaning}\n# TYPE nanomsg_{name} {kind}\n"
            for labels, value in series.items():
                inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
                yield f"nanomsg_{name}{{{inside}}} {value}\n"


def _escaped(text: str) -> str:
    # A document's addresses may hold any character, half a surrogate pair among them.
    text = text.encode("utf-8", "replace").decode()
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Exporter:
    """A web server for Prometheus to ask, until ``close`` or the end of ``with``."""

    def __init__(
        self, documents: Callable[[], Iterable[_Document]], port: int, host: str, connections: bool
    ) -> None:
        class Answer(http.server.BaseHTTPRequestHandler):
            timeout = 10  # seconds for a request to arrive

            def do_GET(self) -> None:
                if self.path.partition("?")[0] not in ("/", "/metrics"):
                    self.send_error(404)
                    return
                body = to_text(documents(), connections).encode()
                self.send_response(200)
                self.send_header("Content-Type", CONTENT_TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer((host, port), Answer)
        self._server.daemon_threads = True
        #: Where it is, with the port that the system has chosen where 0 was asked for.
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="nanomsg_rs.Exporter", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: Type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def serve(
    sockets: Iterable[BaseSocket] | Callable[[], Iterable[BaseSocket]],
    port: int,
    host: str = "127.0.0.1",
    connections: bool = False,
) -> Exporter:
    """Answer Prometheus at ``http://host:port/metrics``, in a thread, with the statistics of these sockets.

    They are asked when Prometheus asks, and may be a function that returns those there are. Closed ones are left out.
    """
    if not callable(sockets):
        sockets = list(sockets)

    def documents() -> Iterator[_Document]:
        for socket in sockets() if callable(sockets) else sockets:
            try:
                if socket.handle >= 0:
                    yield socket.report()
            except BadSocket:
                pass

    return Exporter(documents, port, host, connections)


class Heard:
    """The latest documents that reporters at some addresses have published."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._lock = threading.Lock()
        self._latest: dict[tuple[str, str, str], tuple[float, _Document]] = {}
        for address in addresses:
            # One for each: sockets of two processes may have the same name.
            subscriber = Socket(SocketType.SUB)
            subscriber.subscribe(b"statistics ")
            subscriber.recv_max_size = -1
            subscriber.connect(address if "://" in address else f"ipc://{os.path.abspath(address)}")
            threading.Thread(target=self._listen, args=(address, subscriber), daemon=True).start()

    def _listen(self, address: str, subscriber: Socket) -> None:
        while True:
            told = json.loads(subscriber.recv().partition(b" ")[2])
            with self._lock:
                self._latest[address, told["socket"], told["type"]] = (time.monotonic(), told)

    def documents(self) -> list[_Document]:
        now = time.monotonic()
        with self._lock:
            self._latest = {key: heard for key, heard in self._latest.items() if now - heard[0] < _FORGET}
            return [told for _, told in self._latest.values()]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python3 -m nanomsg_rs.prometheus", description="Serves to Prometheus what sockets are reported to count."
    )
    parser.add_argument(
        "addresses", nargs="+", metavar="ADDRESS", help="where a program reports on its sockets; a path is one of ipc"
    )
    parser.add_argument("--port", type=int, default=9310, help="of the web server; 9310 unless told")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; 127.0.0.1 unless told")
    parser.add_argument("--connections", action="store_true", help="time series for each connection too")
    options = parser.parse_args(arguments)
    heard = Heard(options.addresses)
    with Exporter(heard.documents, options.port, options.host, options.connections) as exporter:
        print(f"http://{options.host}:{exporter.port}/metrics", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()

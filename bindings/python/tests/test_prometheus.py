"""The text for Prometheus: read by its own Python client, and asked for by a real Prometheus."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Callable

import pytest

from conftest import _free_port, eventually
from nanomsg_rs import Socket, SocketType
from nanomsg_rs import constants as nn
from nanomsg_rs import prometheus
from nanomsg_rs.prometheus import serve, to_text
from nanomsg_rs.reporting import Reporter

has_statistics = pytest.mark.skipif("NN_STATISTICS" not in nn.SYMBOLS, reason="only libnanomsg-rs has NN_STATISTICS")

Open = Callable[..., Socket]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def needed(tool: str) -> None:
    """A tool that is missing is a failure in CI and a visible skip elsewhere."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{tool} is missing; make deps or make pytest installs it")
    pytest.skip(f"{tool} is missing")


def parsed(text: str) -> Samples:
    """By the official client: every sample by its name and labels, each there once, and of the type that its name says."""
    try:
        from prometheus_client.parser import text_string_to_metric_families
    except ImportError:
        needed("PyPI's prometheus_client")
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation.endswith(".")
        for sample in family.samples:
            assert family.type == ("counter" if sample.name.endswith("_total") else "gauge")
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in samples, "a series is there twice"
            samples[key] = sample.value
    return samples


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"nanomsg_{name}", frozenset(labels.items())]


def made_up(name: str = "s", **changed: Any) -> dict[str, Any]:
    told = {
        "socket": name, "type": "pub", "raw": False, "time_ns": 1, "monotonic_ns": 1,
        "counters": {"messages_sent": 7, "current_connections": 2, "messages_overflowed": 3},
        "endpoints": [
            {"id": 1, "address": "tcp://*:1", "kind": "bind", "connections": 2, "connected": 5, "failed": 0},
            {"id": 2, "address": "tcp://*:1", "kind": "bind", "connections": 0, "connected": 1, "failed": 4},
        ],
        "connections": [
            {"endpoint": 1, "peer": {"pipe": 1, "address": "10.0.0.1:1"}, "messages_sent": 4, "bytes_sent": 40,
             "messages_received": 0, "bytes_received": 0, "send_queue_bytes": 9, "recv_queue_bytes": 0, "rtt_us": 250},
            {"endpoint": 1, "peer": {"pipe": 2, "pid": 77}, "messages_sent": 3, "bytes_sent": 30,
             "messages_received": 0, "bytes_received": 0, "send_queue_bytes": 1, "recv_queue_bytes": 0},
            {"endpoint": 9, "peer": {"pipe": 3}, "messages_sent": 0, "bytes_sent": 0,
             "messages_received": 0, "bytes_received": 0, "send_queue_bytes": 0, "recv_queue_bytes": 0},
        ],
    }  # fmt: skip
    return told | changed


def test_counters_gauges_and_labels() -> None:
    samples = parsed(to_text([made_up()]))
    of = {"socket": "s", "type": "pub"}
    assert value(samples, "messages_sent_total", **of) == 7
    assert value(samples, "messages_overflowed_total", **of) == 3
    # What the library does not count is 0.
    assert value(samples, "messages_conflated_total", **of) == 0
    assert value(samples, "connections", **of) == 2
    assert value(samples, "send_queue_bytes", **of) == 10
    assert value(samples, "rtt_seconds_max", **of) == 0.00025
    # Two endpoints with the same address are one series.
    of |= {"endpoint": "tcp://*:1", "kind": "bind"}
    assert value(samples, "endpoint_connected_total", **of) == 6
    assert value(samples, "endpoint_failed_total", **of) == 4
    # A series for each peer there is on request only.
    assert not any("peer" in dict(labels) for _, labels in samples)


def test_connections_on_request() -> None:
    samples = parsed(to_text([made_up()], connections=True))
    of = {"socket": "s", "type": "pub", "endpoint": "tcp://*:1", "kind": "bind"}
    assert value(samples, "connection_messages_sent_total", **of, peer="10.0.0.1:1") == 4
    assert value(samples, "connection_rtt_seconds", **of, peer="10.0.0.1:1") == 0.00025
    assert value(samples, "connection_send_queue_bytes", **of, peer="pid 77") == 1
    of |= {"endpoint": "", "kind": ""}
    assert value(samples, "connection_bytes_sent_total", **of, peer="pipe 3") == 0


def test_sockets_of_one_name_are_added_up() -> None:
    samples = parsed(to_text([made_up(), made_up(), made_up(type="sub")]))
    assert value(samples, "messages_sent_total", socket="s", type="pub") == 14
    assert value(samples, "messages_sent_total", socket="s", type="sub") == 7
    assert value(samples, "rtt_seconds_max", socket="s", type="pub") == 0.00025


@pytest.mark.parametrize("name", ['"', "\\", "a\nb", '\\"\\n', "caf\u00e9 \U0001f600", "{a=1}", "", "\\n", "\ttab\u2028"])
def test_names_are_escaped(name: str) -> None:
    samples = parsed(to_text([made_up(name)], connections=True))
    assert value(samples, "messages_sent_total", socket=name, type="pub") == 7


def test_no_documents_are_no_text() -> None:
    assert to_text([]) == ""


def fetched(port: int, path: str = "/metrics") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        assert answer.headers["Content-Type"] == prometheus.CONTENT_TYPE
        text: str = answer.read().decode()
        return text


@has_statistics
@pytest.mark.parametrize("transport", ["tcp"], indirect=True)
def test_the_exporter_tells_what_sockets_have_counted(pair: tuple[Socket, Socket]) -> None:
    one, other = pair
    one.name, other.name = "one", "other"
    with serve([one, other], 0) as exporter:
        other.send(b"12345")
        one.recv()
        samples = parsed(fetched(exporter.port))
        assert value(samples, "bytes_received_total", socket="one", type="pair") == 5
        assert value(samples, "messages_sent_total", socket="other", type="pair") == 1
        told = one.report()
        assert set(told["counters"]) <= {*prometheus.COUNTERS, *prometheus.GAUGES}
        other.close()
        assert '"other"' not in fetched(exporter.port, "/")
        with pytest.raises(urllib.error.HTTPError):
            fetched(exporter.port, "/elsewhere")
    with pytest.raises(OSError):
        fetched(exporter.port)


@has_statistics
def test_sockets_may_come_and_go(open_socket: Open) -> None:
    sockets: list[Socket] = []
    with serve(lambda: sockets, 0, connections=True) as exporter:
        assert fetched(exporter.port) == ""
        sockets.append(open_socket(SocketType.PULL))
        assert 'type="pull"' in fetched(exporter.port)


@has_statistics
def test_what_is_reported_elsewhere_is_exported_as_a_program(open_socket: Open, tmp_path: Path) -> None:
    """As it is for programs in other languages."""
    addresses = [f"ipc://{tmp_path}/{number}" for number in range(2)]
    program = subprocess.Popen(
        [sys.executable, "-m", "nanomsg_rs.prometheus", "--port", "0", addresses[0], f"{tmp_path}/1"],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parent.parent,
    )  # fmt: skip
    try:
        assert program.stdout is not None
        address = program.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:") and address.endswith("/metrics")
        port = int(address.split(":")[2].split("/")[0])
        same = [open_socket(SocketType.PULL) for _ in addresses]
        for socket in same:
            socket.name = "same"
        with Reporter(same[:1], addresses[0], interval=0.02), Reporter(same[1:], addresses[1], interval=0.02):
            same[0].bind("inproc://prometheus")
            same[1].connect("inproc://prometheus-too")

            def both_are_there() -> bool:
                return fetched(port).count("nanomsg_endpoint_connections{") == 2

            eventually(both_are_there, "both processes are told of")
        program.send_signal(signal.SIGINT)
        assert program.wait(30) == 0
    finally:
        program.kill()
        program.communicate()


@has_statistics
@pytest.mark.parametrize("transport", ["tcp"], indirect=True)
def test_prometheus_scrapes_it(pair: tuple[Socket, Socket], tmp_path: Path) -> None:
    program = shutil.which("prometheus")
    if program is None:
        needed("prometheus")
    one, other = pair
    one.name = 'na"me\\'
    other.send(b"12345")
    one.recv()
    port = _free_port()
    with serve(pair, 0, connections=True) as exporter:
        config = tmp_path / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
            "scrape_configs:\n"
            "  - job_name: worker\n"
            f"    static_configs: [{{targets: ['127.0.0.1:{exporter.port}']}}]\n"
        )
        scraper = subprocess.Popen(
            [str(program), f"--config.file={config}", f"--storage.tsdb.path={tmp_path}/data",
             f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            found = asked(port, 'nanomsg_bytes_received_total{job="worker",type="pair"} > 0', scraper)
            assert [(series["metric"]["socket"], series["value"][1]) for series in found] == [('na"me\\', "5")]
            # The example query of docs/prometheus.md, after two scrapes.
            asked(port, "sum by (socket) (rate(nanomsg_messages_received_total[1m])) >= 0", scraper)
            asked(port, 'nanomsg_connection_rtt_seconds{endpoint=~"tcp://.+"} > 0', scraper)
        finally:
            scraper.terminate()
            scraper.wait(30)


def asked(port: int, query: str, scraper: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    """What Prometheus answers as soon as there is an answer."""
    deadline, pause = time.monotonic() + 60, threading.Event()
    address = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": query})
    while True:
        assert scraper.poll() is None, "prometheus has ended"
        assert time.monotonic() < deadline, f"prometheus does not answer {query}"
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
                if found:
                    return found
        except urllib.error.HTTPError as failure:
            assert failure.code == 503, failure.read()  # it is not ready
        except OSError:
            pass  # it does not listen yet
        pause.wait(0.05)

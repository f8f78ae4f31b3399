"""What is known of a network of sockets from what they report, and how it is put into lines."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Optional

EVENTS = 200  # that are remembered
SILENT = 3.0  # seconds after which a socket that reports no more is marked
GONE = 15.0  # and left out

# Counters, and what a socket's line calls them where they are not 0.
LOSSES = {"messages_overflowed": "overflowed", "messages_filtered": "filtered", "messages_conflated": "conflated"}


class Watched:
    """A socket: its latest statistics, and those before, for rates."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.now: dict[str, Any] = {}
        self.before: Optional[dict[str, Any]] = None
        self.heard = 0.0
        self.closed = False

    def take(self, document: dict[str, Any]) -> None:
        if self.now and document["monotonic_ns"] > self.now["monotonic_ns"]:
            self.before = self.now
        self.now, self.heard, self.closed = document, time.monotonic(), False

    @property
    def seconds(self) -> float:
        return (self.now["monotonic_ns"] - self.before["monotonic_ns"]) / 1e9 if self.before else 0

    def rate(self, counter: str) -> Optional[float]:
        if not self.before:
            return None
        # A smaller number than before is a program that has started anew.
        return max(0, self.now["counters"][counter] - self.before["counters"][counter]) / self.seconds

    def connection_rate(self, connection: dict[str, Any], counter: str) -> Optional[float]:
        for other in self.before["connections"] if self.before else ():
            if other["peer"]["pipe"] == connection["peer"]["pipe"]:
                return max(0, connection[counter] - other[counter]) / self.seconds
        return None

    def lines(self) -> Iterator[str]:
        """One for the socket, one for each endpoint, one for each connection."""
        told = self.now
        silence = time.monotonic() - self.heard
        words = [
            f"{self.source:<12} {told['socket']:<20} {told['type'] + (' raw' if told['raw'] else ''):<14}",
            f"in {traffic(self.rate('messages_received'), self.rate('bytes_received')):<22}",
            f"out {traffic(self.rate('messages_sent'), self.rate('bytes_sent')):<22}",
            f"connections {told['counters']['current_connections']}",
        ]
        for counter, called in LOSSES.items():
            if total := told["counters"].get(counter, 0):
                words.append(f"{called} {total:,}")
        if self.closed:
            words.append("closed")
        elif silence > SILENT:
            words.append(f"silent for {silence:.0f} s")
        yield " ".join(words)
        for endpoint in told["endpoints"]:
            words = [f"  {endpoint['kind']:<7} {endpoint['address']}", f"connections {endpoint['connections']}"]
            words += [f"failed {endpoint['failed']}"] * bool(endpoint["failed"])
            words += [endpoint.get("error", f"errno {endpoint['errno']}")] if "errno" in endpoint else []
            yield "   ".join(words)
            for connection in told["connections"]:
                if connection["endpoint"] == endpoint["id"]:
                    yield self._connection_line(connection)

    def _connection_line(self, connection: dict[str, Any]) -> str:
        def both_ways(way: str) -> str:
            rates = (self.connection_rate(connection, f"{what}_{way}") for what in ("messages", "bytes"))
            return traffic(*rates)

        words = [
            f"    {peer_name(connection['peer']):<29} {connection['peer'].get('type', '?'):<14}",
            f"in {both_ways('received'):<22} out {both_ways('sent'):<22}",
            f"queued in {size(connection['recv_queue_bytes'])} out {size(connection['send_queue_bytes'])}",
        ]
        if "rtt_us" in connection:
            words.append(f"rtt {connection['rtt_us'] / 1000:.2f} ms")
        return " ".join(words)


class Network:
    def __init__(self) -> None:
        self.sockets: dict[tuple[str, str, str], Watched] = {}
        self.events: deque[str] = deque(maxlen=EVENTS)

    def take(self, source: str, message: str) -> list[str]:
        """A message of a monitor or reporter. The lines that are new by it."""
        name, _, text = message.partition(" ")
        told = json.loads(text)
        key = (source, told["socket"], told["type"])
        if name == "statistics":
            watched = self.sockets.setdefault(key, Watched(source))
            watched.take(told)
            return list(watched.lines())
        if name == "monitor_stopped" and key in self.sockets:
            self.sockets[key].closed = True
        self.events.append(event_line(source, told))
        return [self.events[-1]]

    def lines(self, events: int) -> list[str]:
        """All that is known, and so many of the last events."""
        now = time.monotonic()
        self.sockets = {key: watched for key, watched in self.sockets.items() if now - watched.heard < GONE}
        lines = [line for key in sorted(self.sockets) for line in self.sockets[key].lines()]
        return lines + [""] * bool(self.events and lines and events) + list(self.events)[len(self.events) - events :]


def event_line(source: str, event: dict[str, Any]) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(event["time_ns"] / 1e9))
    words = [f"{at}.{event['time_ns'] // 1_000_000 % 1000:03}", source, event["socket"], event["event"]]
    if "endpoint" in event:
        words.append(event["endpoint"]["address"])
    if "peer" in event:
        words.append(peer_name(event["peer"]))
    for detail in ("reason", "violation", "error"):
        words += [event[detail]] if detail in event else []
    words += [f"again in {event['retry_ms']} ms"] if "retry_ms" in event else []
    words += [f"{event['dropped']} messages"] if "dropped" in event else []
    return " ".join(words)


def peer_name(peer: dict[str, Any]) -> str:
    """Its address, its process, or the number of the connection."""
    return peer["address"] if "address" in peer else f"pid {peer['pid']}" if "pid" in peer else f"pipe {peer['pipe']}"


def traffic(messages: Optional[float], octets: Optional[float]) -> str:
    return "-" if messages is None or octets is None else f"{messages:,.0f}/s {size(octets)}/s"


def size(octets: float) -> str:
    for unit in ("B", "kB", "MB"):
        if octets < 1000:
            break
        octets /= 1000
    else:
        unit = "GB"
    return f"{octets:.0f} {unit}" if unit == "B" or octets >= 100 else f"{octets:.1f} {unit}"

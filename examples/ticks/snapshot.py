"""The snapshot: keeps the latest message of every topic of the combined feed in a store.

usage: snapshot.py COMBINED STORE

STORE is sqlite:PATH (table latest) or redis:HOST:PORT (a hash for each topic).
"""

from __future__ import annotations

import socket as tcp
import sqlite3
import sys
import time

from nanomsg_rs import Socket, SocketType, Timeout
from report import Losses, Report, end_on_sigterm, reported, roomy

FIELDS = ("n", "value", "extra", "seen")


class SQLite:
    def __init__(self, path: str) -> None:
        self.db = sqlite3.connect(path)
        self.db.execute(
            "create table if not exists latest"
            " (topic text primary key, n integer, value real, extra integer, seen integer)"
        )

    def put(self, rows: dict[str, tuple]) -> None:
        with self.db:
            self.db.executemany(
                "insert or replace into latest values (?, ?, ?, ?, ?)",
                ((topic, *row) for topic, row in rows.items()),
            )


class Redis:
    """The few words of Redis' protocol that are needed, so that no package is."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.connection = tcp.create_connection((host, int(port)))
        self.answers = self.connection.makefile("rb")

    def put(self, rows: dict[str, tuple]) -> None:
        for topic, row in rows.items():
            words = ["HSET", topic, *(word for pair in zip(FIELDS, row) for word in pair)]
            encoded = [str(word).encode() for word in words]
            self.connection.sendall(
                b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in encoded)
            )
        for _ in rows:
            answer = self.answers.readline()
            if not answer.startswith(b":"):
                raise RuntimeError(f"redis: {answer.decode().strip()}")


def open_store(text: str) -> SQLite | Redis:
    kind, _, place = text.partition(":")
    return {"sqlite": SQLite, "redis": Redis}[kind](place)


def main(combined: str, store_text: str) -> None:
    end_on_sigterm()
    store, report, losses = open_store(store_text), Report(), Losses()
    changed: dict[bytes, bytes] = {}
    seen: dict[bytes, int] = {}

    def write() -> None:
        rows = {}
        for topic, message in changed.items():
            _, n, value, extra = message.split()
            rows[topic.decode()] = (int(n), float(value), int(extra), seen[topic])
        store.put(rows)
        changed.clear()

    next_write = 0.0
    with roomy(Socket(SocketType.SUB), "snapshot.in") as feed, reported(feed):
        feed.subscribe(b"")
        feed.recv_timeout = 200
        feed.connect(combined)
        try:
            while True:
                try:
                    message = feed.recv()
                    topic, n, _ = message.split(b" ", 2)
                    losses.count(topic, int(n))
                    seen[topic] = seen.get(topic, 0) + 1
                    changed[topic] = message
                except Timeout:
                    pass
                if time.monotonic() >= next_write:
                    write()
                    report.when_due(seen=losses.seen, lost=losses.lost, topics=len(seen))
                    next_write = time.monotonic() + 0.5
        finally:
            write()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])

"""The market data network, end to end: each test starts its own on free addresses."""

import base64
import os
import shutil
import signal
import socket as tcp
import sqlite3
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import browser  # noqa: E402
import ticks  # noqa: E402
from nanomsg_rs import Monitor, Socket, SocketType  # noqa: E402
from nanomsg_rs import constants as nn  # noqa: E402
from ticks import Network, page_server  # noqa: E402

INSTRUMENTS = 1000


@pytest.fixture(scope="session", autouse=True)
def programs():
    ticks.build()
    if not (ticks.BUILT / "movers").exists():
        needed("a C++ compiler")


@pytest.fixture
def start(tmp_path_factory):
    """Starts networks, each in its own folder, and stops what a test leaves running."""
    started = []

    def start(**how) -> Network:
        network = Network(tmp_path_factory.mktemp("n"), **how)
        started.append(network)
        network.start()
        return network

    yield start
    for network in started:
        network.stop()


def needed(tool: str) -> None:
    """A tool that is missing is a failure in CI and a visible skip elsewhere."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{tool} is missing; make deps installs it")
    pytest.skip(f"{tool} is missing")


def words(answer: str) -> dict:
    parts = answer.split()
    return dict(zip(parts[::2], map(float, parts[1::2])))


def replay(network: Network, count: int, rate: float) -> None:
    """Have the feed send so many ticks, and wait until it has."""
    before = words(network.ask("feed", "status"))["sent"]
    assert network.ask("feed", f"rate {rate:g}") == "ok"
    assert network.ask("feed", f"start {count}") == "ok"
    network.wait(lambda: network.figures["feed"].get("sent", 0) >= before + count, "the ticks", 30 + count / rate)


def rows(network: Network) -> dict:
    """The snapshot in SQLite: topic -> (n, value, extra, seen)."""
    db = sqlite3.connect(network.store.partition(":")[2])
    try:
        return {topic: row for topic, *row in db.execute("select * from latest")}
    finally:
        db.close()


def expected_ticks(per_instrument: int) -> dict:
    """What the feed has to send, worked out anew: instrument -> [(cents, volume)]."""
    series: dict = {}
    for line in (ticks.BUILT / "prices.csv").read_text().splitlines():
        if not line.startswith("#"):
            symbol, price = line.split(",")
            series.setdefault(symbol, []).append(round(float(price) * 100))
    symbols = list(series)

    def tick(i, n):
        prices = series[symbols[i % len(symbols)]]
        there_and_back = prices + prices[-2:0:-1]
        month, part = i // len(symbols) + (n - 1) // 10, (n - 1) % 10
        a, b = (there_and_back[m % len(there_and_back)] for m in (month, month + 1))
        return (a * (10 - part) + b * part) // 10, 10 + 10 * ((n * 7 + i * 13) % 100)

    return {
        f"{symbols[i % len(symbols)]}.{i // len(symbols):03}": [tick(i, n) for n in range(1, per_instrument + 1)]
        for i in range(INSTRUMENTS)
    }


@pytest.mark.parametrize("edges", ["ipc", "tcp", "tls"])
def test_every_tick_arrives_and_the_averages_are_right(start, edges):
    per_instrument = 35
    count = per_instrument * INSTRUMENTS
    network = start(edges=edges)
    replay(network, count, rate=15000)
    spreads = 2 * per_instrument - 1
    everything = count + 3 * INSTRUMENTS + spreads
    for name, seen in (("statistics", count), ("average", count), ("movers", everything), ("snapshot", everything)):
        network.wait(lambda: network.figures[name].get("seen", 0) >= seen, f"{name} to see {seen}")
        assert network.figures[name]["lost"] == 0
        assert network.figures[name]["seen"] == seen

    # The statistics count as many ticks as were sent, and weigh their average right.
    assert network.ask("statistics", "count") == f"seen {count} lost 0"
    expected = expected_ticks(per_instrument)
    symbol = ticks.first_symbols()[0]
    for prefix in (symbol, f"{symbol}.00", f"{symbol}.017"):
        chosen = [tick for name, all_ in expected.items() if name.startswith(prefix) for tick in all_]
        volume = sum(v for _, v in chosen)
        answer = words(network.ask("statistics", f"vwap {prefix}"))
        assert answer["ticks"] == len(chosen)
        assert answer["volume"] == volume
        assert answer["vwap"] == pytest.approx(sum(p * v for p, v in chosen) / volume / 100, abs=1e-4)

    # What is in the store is the last of everything; the snapshot writes as it ends.
    assert all(code in (0, -signal.SIGTERM) for code in network.stop().values())
    latest = rows(network)
    assert sum(seen for topic, (_, _, _, seen) in latest.items() if topic.startswith("tick/")) == count
    for name, all_ in expected.items():
        price, volume = all_[-1]
        assert latest[f"tick/{name}"] == [per_instrument, price / 100, volume, per_instrument]
        # Averages come after every tenth tick: the third after the 30th, of ticks 11 to 30.
        n, mean, tick, _ = latest[f"avg/{name}"]
        assert (n, tick) == (3, 30)
        assert mean == pytest.approx(statistics.fmean(p for p, _ in all_[10:30]) / 100, abs=1e-4)
    first, second = (f"{name}.000" for name in ticks.first_symbols())
    n, difference, _, _ = latest[f"spread/{first}-{second}"]
    assert n == spreads
    assert difference == pytest.approx((expected[first][-1][0] - expected[second][-1][0]) / 100, abs=0.005)


def test_whoever_has_no_certificate_of_the_network_is_not_let_in(start):
    network = start(feed=f"tls+tcp://127.0.0.1:{ticks.free_port()}")
    with Socket(SocketType.SUB) as stranger, Monitor(stranger) as watching:
        stranger.set_option(nn.SYMBOLS["NN_TLS"], nn.SYMBOLS["NN_TLS_CA"], network.certificate("ca").encode())
        stranger.connect(network.at["feed"])
        event = next(event for event in watching.events(10_000) if event.event in ("connected", "handshake_failed"))
        assert (event.event, event.errno) == ("handshake_failed", nn.SYMBOLS["NN_ETLS_CERT_WANTED"])


def test_control_sockets_answer_orders_and_nonsense(start):
    network = start()
    assert words(network.ask("feed", "status")) == {"running": 0, "rate": 2000, "sent": 0, "subscribers": 4}
    for nonsense in ("", "begin", "start -3", "start 5x", "rate", "rate 0", "rate fast", "stop it", "x" * 500):
        answer = network.ask("feed", nonsense)
        assert answer.startswith("error: "), nonsense
    for nonsense in ("", "counts", "vwap", "vwap NOBODY", "y" * 500):
        assert network.ask("statistics", nonsense).startswith("error: "), nonsense
    assert network.ask("feed", "rate 50000") == "ok"
    assert network.ask("feed", "start") == "ok"
    network.wait(lambda: network.figures["statistics"].get("seen", 0) > 0, "ticks")
    assert words(network.ask("feed", "status"))["running"] == 1
    assert network.ask("feed", "stop") == "ok"
    status = network.ask("feed", "status")
    assert words(status)["running"] == 0
    assert network.ask("feed", "status") == status


@pytest.mark.parametrize("name", ["combiner", "average"])
def test_the_network_heals_when_a_middle_process_is_restarted(start, name):
    network = start()
    assert network.ask("feed", "rate 20000") == "ok"
    assert network.ask("feed", "start") == "ok"
    network.wait(lambda: network.figures["snapshot"].get("topics", 0) > 2 * INSTRUMENTS, "averages in the snapshot")
    network.running[name].kill()
    network.running[name].wait()
    network.mend()
    network.wait_until_connected()

    # From here on everything passes again: what is sent now arrives in the snapshot.
    assert network.ask("feed", "stop") == "ok"
    replay(network, 40 * INSTRUMENTS, rate=20000)
    sent = words(network.ask("feed", "status"))["sent"]
    answer = words(network.ask("statistics", "count"))
    network.wait(lambda: network.figures["statistics"]["seen"] == sent, "the statistics")
    answer = words(network.ask("statistics", "count"))
    assert (answer["seen"], answer["lost"]) == (sent, 0)
    network.wait(lambda: sum(n for t, (n, *_) in rows(network).items() if t.startswith("tick/")) == sent,
                 "the snapshot to have the last tick of every instrument")  # fmt: skip
    latest = rows(network)
    for topic, (n, _, _, seen) in latest.items():
        if topic.startswith("tick/"):
            # The averages went on, too: one follows each of the last ten ticks.
            _, _, tick, _ = latest[topic.replace("tick/", "avg/")]
            assert n - 10 < tick <= n
            assert seen == n or name == "combiner"


def test_redis_keeps_the_snapshot_too(start, tmp_path):
    program = shutil.which("redis-server")
    if program is None:
        needed("redis-server")
    port = ticks.free_port()
    redis = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert any("eady to accept connections" in line for line in redis.stdout)
        network = start(store=f"redis:127.0.0.1:{port}")
        replay(network, 10 * INSTRUMENTS, rate=10000)
        network.wait(lambda: network.figures["snapshot"].get("seen", 0) >= 11 * INSTRUMENTS + 19, "the snapshot")
        network.stop()
        for name, all_ in expected_ticks(10).items():
            price, volume = all_[-1]
            assert hash_in_redis(port, f"tick/{name}") == {
                "n": "10", "value": str(price / 100), "extra": str(volume), "seen": "10",
            }  # fmt: skip
    finally:
        redis.terminate()
        redis.wait()
        redis.stdout.close()


def hash_in_redis(port: int, key: str) -> dict:
    with tcp.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as answers:
        connection.sendall(f"HGETALL {key}\r\n".encode())
        count = int(answers.readline()[1:])
        texts = []
        for _ in range(count):
            size = int(answers.readline()[1:])
            texts.append(answers.read(size + 2)[:-2].decode())
        return dict(zip(texts[::2], texts[1::2]))


def pin(certificate: str) -> str:
    """Lets a browser take this certificate: the hash of its public key."""
    commands = ("openssl x509 -noout -pubkey -in", "openssl pkey -pubin -outform DER", "openssl dgst -sha256 -binary")
    said = subprocess.run([*commands[0].split(), certificate], capture_output=True, check=True).stdout
    for command in commands[1:]:
        said = subprocess.run(command.split(), input=said, capture_output=True, check=True).stdout
    return f"--ignore-certificate-errors-spki-list={base64.b64encode(said).decode()}"


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_the_page_shows_prices_that_move(start, scheme):
    program = browser.find()
    if program is None:
        needed("chromium")
    network = start(page=f"{scheme}://127.0.0.1:{ticks.free_port()}")
    assert network.ask("feed", "rate 10000") == "ok"
    assert network.ask("feed", "start") == "ok"
    chromium = browser.Browser(program, *([pin(network.certificate("combiner"))] if scheme == "wss" else []))
    try:
        with page_server(network.at["page"]) as address:
            chromium.open(address)
            chromium.until("document.querySelectorAll('tbody tr').length === ROWS")
            price = "document.querySelector('tbody tr td:nth-child(2)').textContent"
            before = chromium.evaluate(price)
            assert float(before) > 0
            chromium.until(f"{price} !== {before!r} && instruments.size === {INSTRUMENTS}")
            chromium.until("rate > 5000 && rate < 20000")
            chromium.until("[...rows.keys()].every(name => instruments.get(name).average > 0)")
            if picture := os.environ.get("TICKS_SCREENSHOT"):
                chromium.until("instruments.get(chosen).history.length >= HISTORY", 60)
                chromium.screenshot(picture)
            # It comes back by itself after the reflector, which runs in the combiner, was away.
            network.stop_one("combiner")
            chromium.until("document.getElementById('state').textContent.includes('lost, trying')")
            network.start_one("combiner")
            before = chromium.evaluate("total")
            chromium.until(f"total > {before} + 10000")
    finally:
        chromium.close()


def test_a_hundred_thousand_ticks_a_second(start):
    """What PUB drops is counted, what REQ and REP promise is kept."""
    seconds = float(os.environ.get("TICKS_SECONDS", "5"))
    network = start()
    assert network.ask("feed", "rate 100000") == "ok"
    assert network.ask("feed", "start") == "ok"
    end = time.monotonic() + seconds
    questions = 0
    while time.monotonic() < end:
        assert network.ask("statistics", "count").startswith("seen ")
        assert network.ask("feed", "status").startswith("running 1 ")
        questions += 2
    sent_meanwhile = words(network.ask("feed", "status"))["sent"]
    assert network.ask("feed", "stop") == "ok"
    # Slow, whole rounds over all instruments: a loss before them becomes a gap that is counted.
    sent = int(words(network.ask("feed", "status"))["sent"])
    replay(network, 20 * INSTRUMENTS - sent % INSTRUMENTS, rate=10000)
    sent = words(network.ask("feed", "status"))["sent"]
    for name in ("statistics", "average"):
        network.wait(lambda: figure_sum(network, name) == sent, f"{name} to account for {sent:.0f} ticks")
    network.wait(lambda: sum(n for t, (n, *_) in rows(network).items() if t.startswith("tick/")) == sent,
                 "the last ticks in the snapshot")  # fmt: skip
    network.wait(lambda: figure_sum(network, "movers") == figure_sum(network, "snapshot"), "the consumers to agree")
    loss = {name: network.figures[name]["lost"] for name in network.figures if "lost" in network.figures[name]}
    print(f"\n{sent_meanwhile / seconds:,.0f} ticks a second for {seconds:.0f} s, {questions} questions answered, "
          f"lost: {loss}")  # fmt: skip
    # In the snapshot: what each topic has lost is known, and adds up to what the daemon says.
    latest = rows(network)
    assert sum(n - seen for n, _, _, seen in latest.values()) == network.figures["snapshot"]["lost"]
    assert sum(n for n, _, _, _ in latest.values()) == figure_sum(network, "snapshot")


@pytest.mark.parametrize("name", ["movers", "snapshot", "statistics"])
def test_what_a_slow_subscriber_misses_is_counted(start, name):
    """A program that stands still for longer than its edge has room loses ticks, and knows how many."""
    network = start()
    replay(network, 2 * INSTRUMENTS, rate=20000)
    network.running[name].send_signal(signal.SIGSTOP)
    try:
        # Some 40 bytes each: far more than the 4 MiB of room at either end.
        replay(network, 500 * INSTRUMENTS, rate=400_000)
    finally:
        network.running[name].send_signal(signal.SIGCONT)
    # It takes what was kept for it; then a few more rounds show where the gap ends.
    seen = -1
    while figure_sum(network, name) != seen:
        seen = figure_sum(network, name)
        with network.told:
            network.told.wait_for(lambda: figure_sum(network, name) != seen, 3)
    replay(network, 10 * INSTRUMENTS, rate=10000)
    sent = words(network.ask("feed", "status"))["sent"]
    if name == "statistics":
        network.wait(lambda: figure_sum(network, name) == sent, "every tick to be seen or counted as lost")
    else:
        other = "snapshot" if name == "movers" else "movers"
        network.wait(lambda: figure_sum(network, name) == figure_sum(network, other), "the consumers to agree")
    assert network.figures[name]["lost"] > 0
    print(f"\n{name} lost {network.figures[name]['lost']} of {figure_sum(network, name)}")


def test_halted_programs_go_on(start):
    """Ctrl-Z and fg: nobody ends, and what waits on an edge meanwhile arrives."""
    network = start()
    replay(network, 2 * INSTRUMENTS, rate=20000)
    for program in network.running.values():
        program.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, program.pid, os.WSTOPPED)
        program.send_signal(signal.SIGCONT)
    replay(network, 8 * INSTRUMENTS, rate=20000)
    network.wait(lambda: network.figures["snapshot"]["seen"] == 11 * INSTRUMENTS + 19, "the snapshot")
    assert network.ask("statistics", "count") == f"seen {10 * INSTRUMENTS} lost 0"
    assert all(program.poll() is None for program in network.running.values())


def figure_sum(network: Network, name: str) -> int:
    figures = network.figures[name]
    return figures.get("seen", 0) + figures.get("lost", 0)


def test_one_command_starts_shows_and_stops_them(tmp_path):
    done = subprocess.run(
        [sys.executable, str(HERE.parent / "ticks.py"), "--seconds", "2", "--rate", "5000",
         "--monitor", "--edge", f"average=tcp://127.0.0.1:{ticks.free_port()}"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100, env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert done.stdout.rstrip().endswith("all stopped")
    assert "average            tcp://" in done.stdout and "lost 0" in done.stdout
    assert "/monitor.py " in done.stdout and "/*.monitor" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_stops_it_cleanly(tmp_path):
    program = subprocess.Popen(
        [sys.executable, str(HERE.parent / "ticks.py")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    try:
        said = []
        for line in program.stdout:
            said.append(line)
            if "snapshot   Python  seen" in line:
                break
        os.killpg(program.pid, signal.SIGINT)
        said.append(program.stdout.read())
        assert program.wait(30) == 0, "".join(said)
        assert said[-1].rstrip().endswith("all stopped")
        assert list(tmp_path.iterdir()) == []
    finally:
        program.kill()
        program.wait()
        program.stdout.close()

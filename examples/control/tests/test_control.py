"""Each daemon with each client, through every order and some nonsense."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[1]
TOP = HERE.parents[1]
BUILT = TOP / "target" / "examples" / "control"
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(TOP / "bindings" / "python"),
    "PYTHONDONTWRITEBYTECODE": "1",
    "NANOMSG_LIBRARY": os.environ.get("NANOMSG_LIBRARY", str(TOP / "target" / "lib" / "libnanomsg.so.6")),
}


@pytest.fixture(scope="session", autouse=True)
def programs():
    subprocess.run(["make", "-s", "-C", str(HERE)], check=True)


def command(name: str, language: str) -> list:
    return [str(BUILT / name)] if language == "C" else [sys.executable, str(HERE / f"{name}.py")]


@pytest.mark.parametrize("client", ["C", "Python"])
@pytest.mark.parametrize("daemon", ["C", "Python"])
def test_a_daemon_does_what_its_client_says(daemon, client, tmp_path):
    address = f"ipc://{tmp_path}/control"

    def ask(text: str) -> str:
        done = subprocess.run(
            [*command("ask", client), address, *text.split(" ")], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
        )
        said = done.stdout.strip()
        assert done.returncode == said.startswith("error"), said
        return said

    def status() -> dict:
        words = ask("status").split()
        return dict(zip(words[::2], map(int, words[1::2])))

    process = subprocess.Popen([*command("daemon", daemon), address], env=ENVIRONMENT)
    try:
        # The client may well come first: its request waits for the daemon.
        assert status()["interval"] == 100
        assert ask("interval 1") == "ok"
        before = status()
        assert before["interval"] == 1 and before["working"] == 1
        while status()["count"] <= before["count"]:
            pass
        assert ask("halt") == "ok"
        halted = status()
        assert halted["working"] == 0
        assert status() == halted
        for nonsense in ("", "stat", "interval", "interval 0", "interval -5", "interval 5x", "interval 99999", "z" * 300):
            assert ask(nonsense).startswith("error: "), nonsense
        assert ask("resume") == "ok"
        while status()["count"] <= halted["count"]:
            pass
        assert ask("end") == "ok"
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def test_a_client_says_when_nobody_answers(tmp_path):
    for language in ("C", "Python"):
        done = subprocess.run(
            [*command("ask", language), f"ipc://{tmp_path}/nobody", "status"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
        )  # fmt: skip
        assert done.returncode == 1
        assert "nobody answers" in done.stderr

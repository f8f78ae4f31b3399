"""What the tests of READMEs and of the guide share: the code blocks of a page, and a shell that runs them."""

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# On the pages this stands for any prefix.
PREFIX = "/opt/nanomsg"
TOOLS = ["cc", "pkg-config", "cmake", "c++", "python3", "openssl", "npm", "node", "cargo", "/usr/bin/nanocat"]
# Would lead to another library, or into another folder.
FOREIGN = re.compile(r"(LD|PKG_CONFIG|CMAKE|NANOMSG)_\w+|MAKEFLAGS|MFLAGS|MAKELEVEL|PREFIX|DESTDIR|(LIB|INCLUDE|BIN|MAN)DIR|"
                     r"(C|CPLUS)_INCLUDE_PATH|CPATH|LIBRARY_PATH|PYTHONPATH|NODE_PATH|VIRTUAL_ENV")
# Below the ports that the system gives to clients.
PORTS = range(20_000, 32_000)
GIVEN, GIVING = set(), threading.Lock()


class Shell:
    """Runs pieces of a shell session; variables and the folder stay as one piece leaves them for the next."""

    def __init__(self, work, folder=TOP, variables=os.environ):
        self.folder, self.work, self.output = folder, work, ""
        self.variables = {name: value for name, value in variables.items() if not FOREIGN.fullmatch(name)}

    def run(self, text):
        """Returns the libnanomsgs that its programs have loaded."""
        logs, state = self.work / "logs", self.work / "state"
        logs.mkdir()
        loader = {"LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": str(logs / "log")}
        script = f'{text}\nenv -0 > "{state}"'
        # Into a file, because what the piece leaves running would hold a pipe open.
        with open(self.work / "output", "w+") as output:
            bash = subprocess.Popen(["bash", "-euo", "pipefail", "-c", script], cwd=self.folder, start_new_session=True,
                                    env={**self.variables, **loader}, stdout=output, stderr=subprocess.STDOUT)
            try:
                code = bash.wait(timeout=300)
            except subprocess.TimeoutExpired:
                code = "a timeout"
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(bash.pid, signal.SIGKILL)
            output.seek(0)
            self.output = output.read()
        if code != 0:
            sys.exit(f"{text}\nended with {code}:\n{self.output}")
        left = dict(pair.split("=", 1) for pair in state.read_text().split("\0") if pair)
        self.folder = Path(left.pop("PWD"))
        self.variables.update({name: value for name, value in left.items() if name not in loader})
        loaded = {Path(path).resolve() for log in logs.iterdir()
                  for path in re.findall(r"calling init: (\S*/libnanomsg\S*)", log.read_text(errors="replace"))}
        shutil.rmtree(logs)
        return loaded


def file_name(text, page):
    """Returns the name of the file with which a block begins, as a comment."""
    name = re.match(r"(?://|#|/\*) ([\w./]+)", text)
    if name is None:
        sys.exit(f"{page}: nothing runs\n{text}")
    return name[1]


def write(text, folder, page):
    """Writes the block to the file that it begins with, and returns the file's name."""
    name = file_name(text, page)
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    if file.name == "Cargo.toml":
        # With the versions that everything else is tested with.
        shutil.copy2(TOP / "Cargo.lock", folder)
    return name


def copy_sources(folder):
    """Copies what is in the repository, and nothing that was built from it."""
    files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=TOP,
                           stdout=subprocess.PIPE, check=True, text=True).stdout
    for name in filter(None, files.split("\0")):
        if (TOP / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, folder / name)


def free_port():
    """Returns a port that nobody has now, and that was not returned before."""
    while True:
        port = random.choice(PORTS)
        with GIVING, socket.socket() as probe:
            if port not in GIVEN and probe.connect_ex(("127.0.0.1", port)) != 0:
                GIVEN.add(port)
                return port


def missing_tool(text):
    """Returns a tool that the command lines need and that is not installed, or None."""
    used = (tool for tool in TOOLS if re.search(rf"(^|\s){re.escape(tool)}\s", text))
    return next((tool for tool in used if not shutil.which(tool)), None)


def skip(missing):
    if os.environ.get("CI") == "true":
        sys.exit(missing)
    print(f"skipped: {missing}", file=sys.stderr)

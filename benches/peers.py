"""The libraries that are compared: a driver for each, compiled from benches/c, and one run of it."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys

from rows import BARE, NANOMSG, NNG, OMQ, OURS, ZMQ

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCES = os.path.join(ROOT, "benches", "c")
BARE_TLS = os.path.join(ROOT, "target", "bare-tls", "release", "libbare_tls.so")  # where `make bench` builds it
BUILD = os.path.join(ROOT, "target", "bench")
DEFAULT_LIB = os.path.join(ROOT, "target", "lib", "libnanomsg.so.6")
OMQ_LIB = os.path.join(ROOT, "target", "omq", "lib")  # where `make omq` puts it, under the name of libzmq


def all_peers(options):
    return [Peer(OURS, "sp", ["-ldl"], options.lib), Peer(NANOMSG, "sp", ["-ldl"], options.nanomsg),
            Peer(NNG, "nng", ["-lnng"]), Peer(ZMQ, "zmq", ["-lzmq"]), Peer(BARE, "bare", ["-ldl"], BARE_TLS)]


def shape_peers(options):
    """Those of the program shapes. Further builds and environments of our library have columns of their own."""
    ours = [Peer(OURS, "shape_sp", ["-ldl"], options.libs[0])]
    ours += [Peer(shown(lib), "shape_sp", ["-ldl"], lib) for lib in options.libs[1:]]
    ours += [Peer(setting, "shape_sp", ["-ldl"], options.libs[0], dict([setting.split("=", 1)])) for setting in options.set]
    omq = Peer(OMQ, "shape_zmq", ["-lzmq"], env={"LD_LIBRARY_PATH": OMQ_LIB})
    if not os.path.exists(os.path.join(OMQ_LIB, "libzmq.so.5")):
        omq.missing = "make omq builds it"
    return ours + [Peer(NANOMSG, "shape_sp", ["-ldl"], options.nanomsg), Peer(ZMQ, "shape_zmq", ["-lzmq"]), omq,
                   Peer(BARE, "shape_bare", [])]


class Peer:
    def __init__(self, name, driver, link, lib=None, env=None):
        self.name, self.driver, self.link, self.lib, self.env = name, driver, link, lib, env or {}
        self.version = self.missing = None

    def command(self, *args):
        lib = ["--lib", self.lib] if self.lib else []
        return [os.path.join(BUILD, self.driver), *lib, *args]

    def prepare(self):
        """Compiles the driver and asks for the version; what does not work is missing on this machine."""
        if self.missing:
            return
        include = os.path.join(ROOT, "include")
        headers = ("nn", "bus", "pair", "pipeline", "pubsub", "reqrep", "survey", "tcp")
        own = all(os.path.exists(f"{include}/nanomsg/{h}.h") for h in headers)
        cc = shlex.split(os.environ.get("CC", "cc")) + ["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra"]
        cc += ["-I" + include] if own else []
        cc += [os.path.join(SOURCES, self.driver + ".c"), "-o", os.path.join(BUILD, self.driver), "-pthread"]
        cc += self.link
        try:
            built = subprocess.run(cc, capture_output=True, text=True, timeout=120)
            asked = built.returncode == 0 and subprocess.run(self.command("--version"), capture_output=True, text=True,
                                                             timeout=20, env={**os.environ, **self.env})
        except (OSError, subprocess.TimeoutExpired) as e:
            self.missing = str(e)
            return
        if not asked:
            self.missing = first_error(built.stderr)
        elif asked.returncode != 0:
            why = asked.stdout + asked.stderr or f"ended with {asked.returncode}"
            self.missing = re.sub(r'^{"error": "(.*)"}$', r"\1", why.strip()).replace(ROOT + os.sep, "")
        else:
            sys.stderr.write(built.stderr)
            self.version = asked.stdout.strip()

    def describe(self):
        if self.missing:
            return f"{self.name}: missing, skipped ({self.missing})"
        text = f"{self.name}: {self.version}"
        if self.name == OURS:  # another build's commit is not known
            text = f"{self.name}: {shown(self.lib)}, {self.version}"
            commit = output_of("git", "-C", ROOT, "describe", "--always", "--dirty")
            text += f", commit {commit}" if commit else ""
        elif self.name == NANOMSG:
            text = f"{self.name}: {shown(self.lib)}, {self.version}"
        elif self.name == OMQ:
            with open(os.path.join(ROOT, "benches", "omq", "Cargo.toml"), encoding="utf-8") as file:
                crate = re.search(r'^omq-libzmq = "=(.*)"', file.read(), re.MULTILINE)
            text = f"{self.name}: crate omq-libzmq {crate[1]} in libzmq's place, which it says to be {self.version}"
        package = {NANOMSG: "libnanomsg5", NNG: "libnng1", ZMQ: "libzmq5"}.get(self.name)
        packaged = package and output_of("dpkg-query", "-W", "-f", "${Version}", package)
        return text + (f" (package {package} {packaged})" if packaged else "")


def first_error(text):
    lines = text.strip().splitlines() or ["the compiler failed"]
    line = next((l for l in lines if "error" in l), lines[0])
    return line.replace(ROOT + os.sep, "")


def output_of(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def shown(path):
    path = path or ""
    return os.path.relpath(path, ROOT) if path.startswith(ROOT + os.sep) else path


class Hung(Exception):
    pass


class Failed(Exception):
    pass


class Unsupported(Exception):
    pass


def run_once(peer, row, count, options, under=()):
    """What the driver reports. `under` is the command of a program that watches it."""
    patience = options.timeout * (3 if row.number("conns") or row.number("idle") else 1)
    return run_driver(peer, [*row.arguments(options.cpu), "--count", str(count)], options.tmp, patience, under)


def run_driver(peer, arguments, tmp, patience, under=()):
    process = subprocess.Popen([*under, *peer.command(*arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               start_new_session=True, env={**os.environ, "TMPDIR": tmp, **peer.env})
    try:
        out, err = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        raise Hung("killed: it took too long") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    try:
        result = json.loads(out.strip().splitlines()[-1])
    except (ValueError, IndexError):
        code = process.returncode
        how = f"ended by signal {-code}" if code < 0 else f"ended with {code}"
        raise Failed(" ".join([how, *(out + err).split()])[:200]) from None
    if "unsupported" in result:
        raise Unsupported(result["unsupported"])
    if "error" in result:
        raise Failed(result["error"])
    if process.returncode != 0:
        raise Failed(f"ended with {process.returncode} after its result")
    return result

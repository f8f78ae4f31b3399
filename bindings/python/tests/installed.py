"""Run by the Makefile with the Python of an environment that pip has put the package into: no test of pytest's."""

from pathlib import Path

import nanomsg_rs
from nanomsg_rs.library import PATH

package = Path(nanomsg_rs.__file__).resolve().parent
assert "site-packages" in package.parts, package
assert Path(PATH).parent == package, f"the library is {PATH}, and not the one in {package}"
assert (package / "py.typed").exists()
with nanomsg_rs.Socket(nanomsg_rs.SocketType.PAIR) as a:
    with nanomsg_rs.Socket(nanomsg_rs.SocketType.PAIR) as b:
        a.recv_timeout = 10_000
        a.bind("inproc://installed")
        b.connect("inproc://installed")
        b.send(b"hello")
        assert a.recv() == b"hello"
print("pip: ok")

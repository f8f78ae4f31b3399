"""Puts the shared library into the package, if there is one to carry.

That is the file that NANOMSG_CARRY names, or what `make build` has left in the checkout; with an empty NANOMSG_CARRY the
package is built without, and finds the system's library when it is imported. The wheel is for the system that NANOMSG_PLATFORM names
(a platform tag, as manylinux_2_34_x86_64), or for this one.
"""

import os
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.dist import Distribution

#: What it is called in the package, by its ending; as nanomsg_rs.library looks for it.
NAMES = {".dll": "nanomsg.dll", ".dylib": "libnanomsg.6.dylib"}
LINUX = "libnanomsg.so.6"


def carried():
    chosen = os.environ.get("NANOMSG_CARRY")
    if chosen is not None:
        return Path(chosen) if chosen else None
    built = Path(__file__).resolve().parents[2] / "target" / "lib" / LINUX
    return built if built.exists() else None


LIBRARY = carried()


class Build(build_py):
    def run(self):
        super().run()
        if self.editable_mode:
            return
        package = Path(self.build_lib) / "nanomsg_rs"
        for name in (LINUX, *NAMES.values()):
            (package / name).unlink(missing_ok=True)  # what an earlier build has left
        if LIBRARY is not None:
            shutil.copy2(LIBRARY, package / NAMES.get(LIBRARY.suffix, LINUX))


options = {"build_py": Build}
if LIBRARY is not None:
    try:
        from setuptools.command.bdist_wheel import bdist_wheel
    except ImportError:  # setuptools before 70.1
        from wheel.bdist_wheel import bdist_wheel

    class Wheel(bdist_wheel):
        """For this platform, but for every Python 3."""

        def finalize_options(self):
            super().finalize_options()
            self.root_is_pure = False

        def get_tag(self):
            return ("py3", "none", os.environ.get("NANOMSG_PLATFORM") or super().get_tag()[2])

    options["bdist_wheel"] = Wheel


class WithLibrary(Distribution):
    def has_ext_modules(self):
        return LIBRARY is not None


setup(cmdclass=options, distclass=WithLibrary)

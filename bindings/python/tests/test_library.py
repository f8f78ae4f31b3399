"""The library as a whole: where it is found, its constants, and its end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nanomsg_rs import AF_SP, AF_SP_RAW, DONTWAIT, POLLIN, POLLOUT, SocketType, Statistic
from nanomsg_rs import constants as nn
from nanomsg_rs.library import FILE_NAMES, PATH, candidates

# The ABI: these numbers are in every program compiled against the C headers.
SOCKET_TYPES = {
    "PAIR": 16,
    "PUB": 32,
    "SUB": 33,
    "REQ": 48,
    "REP": 49,
    "PUSH": 80,
    "PULL": 81,
    "SURVEYOR": 98,
    "RESPONDENT": 99,
    "BUS": 112,
}


@pytest.fixture
def package(tmp_path):
    """Where the package lies in a checkout, with nothing built."""
    directory = tmp_path / "bindings" / "python" / "nanomsg_rs"
    directory.mkdir(parents=True)
    return directory


def put_library(directory: Path) -> str:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / FILE_NAMES[0]
    path.touch()
    return str(path)


def test_a_chosen_library_is_the_only_candidate(package):
    put_library(package)
    assert list(candidates({"NANOMSG_LIBRARY": "/chosen.so"}, package)) == ["/chosen.so"]


def test_the_package_s_own_library_comes_first_then_the_checkout_s(package, tmp_path):
    installed = list(candidates({}, package))
    built = put_library(tmp_path / "target" / "lib")
    assert list(candidates({}, package)) == [built, *installed]
    bundled = put_library(package)
    assert list(candidates({}, package)) == [bundled, built, *installed]


@pytest.mark.parametrize("name", FILE_NAMES)
def test_it_is_found_by_the_name_that_each_system_gives_it(package, name):
    path = package / name
    path.touch()
    assert next(candidates({}, package)) == str(path)


def test_a_chosen_library_that_is_missing_is_an_import_error(start_program):
    program = start_program(
        "import os; os.environ['NANOMSG_LIBRARY'] = '/nowhere/libnanomsg.so'\n"
        "try: import nanomsg_rs\n"
        "except ImportError as failure: print(failure)\n"
    )
    output, errors = program.communicate()
    assert errors == ""
    assert "/nowhere/libnanomsg.so" in output


def test_the_library_under_test_is_the_chosen_one():
    chosen = os.environ.get("NANOMSG_LIBRARY")
    if not chosen:
        pytest.skip("NANOMSG_LIBRARY is not set")
    assert PATH == chosen


def test_socket_types_have_the_numbers_of_the_abi():
    assert {type.name: type.value for type in SocketType} == SOCKET_TYPES


def test_constants_have_the_numbers_of_the_abi():
    assert (AF_SP, AF_SP_RAW, DONTWAIT, POLLIN, POLLOUT) == (1, 2, 1, 1, 2)
    assert (nn.NN_INPROC, nn.NN_IPC, nn.NN_TCP, nn.NN_SOL_SOCKET) == (-1, -2, -3, 0)
    # Two names of one transport, and so of one value.
    assert nn.NN_UNIX == nn.NN_IPC
    assert (Statistic.MESSAGES_SENT, Statistic.CURRENT_CONNECTIONS) == (301, 201)


def test_constants_are_listed_and_found_by_name():
    assert "NN_RCVMAXSIZE" in dir(nn)
    assert nn.NN_RCVMAXSIZE == nn.SYMBOLS["NN_RCVMAXSIZE"] == 16
    with pytest.raises(AttributeError, match="NN_NO_SUCH_THING"):
        nn.NN_NO_SUCH_THING  # noqa: B018


TERMINATING = """
import threading
from nanomsg_rs import BadSocket, Socket, SocketType, Terminated, term

def receive():
    try:
        socket.recv()
    except BadSocket:
        print("woken")

with Socket(SocketType.PAIR) as socket:
    socket.bind("inproc://terminating")
    thread = threading.Thread(target=receive)
    thread.start()
    term()
    thread.join()
    term()
    try:
        Socket(SocketType.PAIR)
    except Terminated as failure:
        print(failure.strerror)
print("left")
"""


def test_term_wakes_everybody_and_ends_the_library(start_program):
    program = start_program(TERMINATING)
    output, errors = program.communicate(timeout=10)
    assert errors == ""
    assert output == "woken\nNanomsg library was terminated\nleft\n"
    assert program.returncode == 0

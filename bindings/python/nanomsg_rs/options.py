"""Socket options as attributes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, overload

from .constants import SYMBOLS, symbol

if TYPE_CHECKING:
    from .socket import BaseSocket

NN_SOL_SOCKET = symbol("NN_SOL_SOCKET")


class IntOption:
    """An integer option, read and written on every access of the attribute."""

    def __init__(self, name: str, doc: str, level: int = NN_SOL_SOCKET, own: int | None = None) -> None:
        self._level = level
        # ``own`` is the number of one that only libnanomsg-rs has; with another library it is ENOPROTOOPT.
        self._option = symbol(name) if own is None else SYMBOLS.get(name, own)
        self.__doc__ = doc

    @overload
    def __get__(self, socket: None, owner: Any) -> IntOption: ...

    @overload
    def __get__(self, socket: BaseSocket, owner: Any) -> int: ...

    def __get__(self, socket: BaseSocket | None, owner: Any) -> IntOption | int:
        if socket is None:
            return self
        return socket.get_option(self._level, self._option)

    def __set__(self, socket: BaseSocket, value: int) -> None:
        socket.set_option(self._level, self._option, value)


class ReadOnlyIntOption(IntOption):
    """An integer option that the library lets nobody change."""

    def __set__(self, socket: BaseSocket, value: int) -> None:
        raise AttributeError("this option can only be read")


class BoolOption:
    """An integer option that is 0 or 1."""

    def __init__(self, name: str, doc: str, level: int = NN_SOL_SOCKET, own: int | None = None) -> None:
        self._level = level
        self._option = symbol(name) if own is None else SYMBOLS.get(name, own)
        self.__doc__ = doc

    @overload
    def __get__(self, socket: None, owner: Any) -> BoolOption: ...

    @overload
    def __get__(self, socket: BaseSocket, owner: Any) -> bool: ...

    def __get__(self, socket: BaseSocket | None, owner: Any) -> BoolOption | bool:
        if socket is None:
            return self
        return bool(socket.get_option(self._level, self._option))

    def __set__(self, socket: BaseSocket, value: bool) -> None:
        socket.set_option(self._level, self._option, int(value))


class TextOption:
    """An option that is text or a path, of libnanomsg-rs alone: ``own`` is its number, and with another library it is ENOPROTOOPT."""

    def __init__(self, name: str, doc: str, level: int, own: int) -> None:
        self._level = level
        self._option = SYMBOLS.get(name, own)
        self.__doc__ = doc

    @overload
    def __get__(self, socket: None, owner: Any) -> TextOption: ...

    @overload
    def __get__(self, socket: BaseSocket, owner: Any) -> str: ...

    def __get__(self, socket: BaseSocket | None, owner: Any) -> TextOption | str:
        if socket is None:
            return self
        return os.fsdecode(socket.get_text(self._level, self._option))

    def __set__(self, socket: BaseSocket, value: str | bytes | os.PathLike[str]) -> None:
        socket.set_option(self._level, self._option, os.fsencode(value))

"""Socket options (level NN_SOL_SOCKET) as attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from .constants import symbol

if TYPE_CHECKING:
    from .socket import Socket

NN_SOL_SOCKET = symbol("NN_SOL_SOCKET")


class IntOption:
    """An integer option, read and written on every access of the attribute."""

    def __init__(self, name: str, doc: str) -> None:
        self._option = symbol(name)
        self.__doc__ = doc

    @overload
    def __get__(self, socket: None, owner: Any) -> IntOption: ...

    @overload
    def __get__(self, socket: Socket, owner: Any) -> int: ...

    def __get__(self, socket: Socket | None, owner: Any) -> IntOption | int:
        if socket is None:
            return self
        return socket.get_option(NN_SOL_SOCKET, self._option)

    def __set__(self, socket: Socket, value: int) -> None:
        socket.set_option(NN_SOL_SOCKET, self._option, value)


class ReadOnlyIntOption(IntOption):
    """An integer option that the library lets nobody change."""

    def __set__(self, socket: Socket, value: int) -> None:
        raise AttributeError("this option can only be read")

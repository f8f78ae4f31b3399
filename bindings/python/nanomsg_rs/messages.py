"""A message in the library's own memory (NN_MSG), seen through a memoryview: nothing is copied."""

from __future__ import annotations

import ctypes
import json
import struct
import weakref
from ctypes import c_char_p, c_ubyte, c_void_p, memmove, memset, pointer
from types import TracebackType
from typing import TYPE_CHECKING, Any, Type

from .buffers import lent
from .constants import SYMBOLS, WsMessageType, symbol
from .errors import error
from .library import NN_MSG, IoVec, MsgHdr, nn_allocmsg, nn_freemsg

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PROTO_SP = 1
_SP_HDR = 1
_NN_WS = symbol("NN_WS")
_WS_MSG_TYPE = symbol("NN_WS_MSG_TYPE")
_NN_SOL_SOCKET = symbol("NN_SOL_SOCKET")
# Of libnanomsg-rs alone.
_RECV_PEER = SYMBOLS.get("NN_RECV_PEER", 1006)
_HEAD = struct.Struct("@Nii")  # struct nn_cmsghdr
_SIZE = struct.Struct("@N")
_CONTROL_ROOM = 2048  # more than the header of a message that has made 255 hops, and a peer


class _Chunk:
    """Memory of the library, given back with the last object that refers to it."""

    def __init__(self, address: int) -> None:
        self.address: int | None = address

    def __del__(self) -> None:
        if self.address is not None:
            nn_freemsg(self.address)


class Message:
    """A message to write to and send, or as it was received.

    ``Message(1000)`` has that many zeros, ``Message(b"...")`` a copy of those bytes. What is in
    it is reached by ``view``, a memoryview. A view stays valid for as long as somebody has it,
    also after the message was sent; the bytes are then copied for the sending.
    """

    #: What raw sockets route by; b"" on all others.
    header: bytes
    #: How it came over WebSocket or shall be sent there; None elsewhere, or for the default.
    ws_message_type: WsMessageType | None
    #: Whom it came from, if the socket's ``recv_peer`` is on: ``peer["pipe"]`` is the connection's number, and what else
    #: is known is there too (``type``, ``address``, ``local``, ``pid``, ``uid``, ``gid``). None on those that were not received.
    peer: dict[str, Any] | None

    def __init__(
        self,
        content: int | Buffer = 0,
        *,
        header: bytes = b"",
        ws_message_type: WsMessageType | None = None,
    ) -> None:
        self.header = header
        self.ws_message_type = ws_message_type
        self.peer = None
        if isinstance(content, int):
            if content < 0:
                raise ValueError("a message has no negative size")
            memset(self._allocate(content), 0, content)
        else:
            with lent(content) as (memory, size):
                memmove(self._allocate(size), memory or 0, size)

    def _allocate(self, size: int) -> int:
        address: int | None = nn_allocmsg(size, 0)
        if address is None:
            raise error(ctypes.get_errno())
        self._hold(address, size)
        return address

    def _hold(self, address: int | None, size: int) -> None:
        self._chunk = None if address is None else _Chunk(address)
        self._size = size
        self._seen: weakref.ref[ctypes.Array[c_ubyte]] | None = None

    @property
    def view(self) -> memoryview:
        """The bytes themselves, to be read and written."""
        if self._chunk is None or self._chunk.address is None or not self._size:
            return memoryview(bytearray())
        memory = self._seen() if self._seen is not None else None
        if memory is None:
            memory = (c_ubyte * self._size).from_address(self._chunk.address)
            memory._chunk = self._chunk  # type: ignore[attr-defined]
            self._seen = weakref.ref(memory)
        return memoryview(memory).cast("B")

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        if self._chunk is None or self._chunk.address is None:
            return b""
        return ctypes.string_at(self._chunk.address, self._size)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Message):
            other = other.view
        return self.view == other if isinstance(other, (bytes, bytearray, memoryview)) else False

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<nanomsg_rs.Message, {self._size} bytes>"


class Sending:
    """The message as nn_sendmsg wants it, for the time of the call."""

    def __init__(self, message: Message) -> None:
        self._message = message
        chunk = message._chunk
        # While somebody looks at the memory, the library only borrows it.
        self._gives = chunk is not None and (message._seen is None or message._seen() is None)
        self._pointer = c_void_p(chunk.address if chunk is not None else None)
        if self._gives:
            part = IoVec(ctypes.addressof(self._pointer), NN_MSG)
        else:
            part = IoVec(self._pointer, message._size)
        self._control = _packed(message)
        control = ctypes.cast(c_char_p(self._control), c_void_p) if self._control else None
        self._header = MsgHdr(pointer(part), 1, control, len(self._control))

    def __enter__(self) -> MsgHdr:
        return self._header

    def __exit__(
        self,
        kind: Type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            if self._gives and self._message._chunk is not None:
                self._message._chunk.address = None
            self._message._hold(None, 0)
            self._message.header = b""
            self._message.peer = None


class Receiving:
    """Room for nn_recvmsg to put a message and its control messages."""

    def __init__(self) -> None:
        self._body = c_void_p()
        self._control = ctypes.create_string_buffer(_CONTROL_ROOM)
        part = IoVec(ctypes.addressof(self._body), NN_MSG)
        control = ctypes.cast(self._control, c_void_p)
        self.header = MsgHdr(pointer(part), 1, control, _CONTROL_ROOM)

    def message(self, size: int) -> Message:
        """What was received, of that size; to be called once, after success."""
        message = Message.__new__(Message)
        message._hold(self._body.value, size)
        message.header, message.ws_message_type, message.peer = _unpacked(self._control.raw)
        return message


def _packed(message: Message) -> bytes:
    """The control messages to send with a message."""
    packed = b""
    if message.header:
        packed += _property(
            _PROTO_SP, _SP_HDR, _SIZE.pack(len(message.header)) + bytes(message.header)
        )
    if message.ws_message_type is not None:
        packed += _property(_NN_WS, _WS_MSG_TYPE, bytes([message.ws_message_type]))
    return packed


def _property(level: int, kind: int, data: bytes) -> bytes:
    padding = bytes(-len(data) % _SIZE.size)
    return _HEAD.pack(_HEAD.size + len(data), level, kind) + data + padding


def _unpacked(control: bytes) -> tuple[bytes, WsMessageType | None, dict[str, Any] | None]:
    """The header, the WebSocket type and the peer in the control messages of a received message."""
    header, ws_message_type, peer = b"", None, None
    at = 0
    while at + _HEAD.size <= len(control):
        length, level, kind = _HEAD.unpack_from(control, at)
        if length < _HEAD.size:
            break
        data = at + _HEAD.size
        if (level, kind) == (_PROTO_SP, _SP_HDR):
            (count,) = _SIZE.unpack_from(control, data)
            header = control[data + _SIZE.size :][:count]
        elif (level, kind) == (_NN_WS, _WS_MSG_TYPE):
            ws_message_type = WsMessageType(control[data])
        elif (level, kind) == (_NN_SOL_SOCKET, _RECV_PEER):
            peer = json.loads(control[data : at + length])
        at += length + -length % _SIZE.size
    return header, ws_message_type, peer

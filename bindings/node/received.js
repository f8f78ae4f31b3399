'use strict';
// Receiving a message with what the library tells of it: nn_recvmsg, and the walk over its control messages.

const { NN_MSG, checked, constants, koffi, nn } = require('./library.js');

const { NN_DONTWAIT, NN_RECV_PEER, NN_SOL_SOCKET } = constants;
const ROOM = 2048; // more than the header of a message that has made 255 hops, and a peer
const HEAD = 16; // sizeof (struct nn_cmsghdr)
const ZEROS = new Uint8Array(ROOM);

// One of each in memory that stays where it is, since nothing waits in between: struct nn_msghdr, its struct nn_iovec, the
// variable for the body's address, and the control messages.
const HEADER = 0;
const PART = 32;
const BODY = 48;
const CONTROL = 56;
let memory;

function prepared() {
  if (memory !== undefined) return memory;
  memory = nn.allocmsg(CONTROL + ROOM, 0);
  const at = koffi.address(memory);
  const words = new BigUint64Array([at + BigInt(PART), 1n, at + BigInt(CONTROL), BigInt(ROOM), at + BigInt(BODY), NN_MSG, 0n]);
  koffi.encode(memory, HEADER, koffi.array('uint64_t', words.length, 'Typed'), words);
  return memory;
}

/** The message that is there, or EAGAIN. */
function receive(handle) {
  const place = prepared();
  koffi.encode(place, CONTROL, koffi.array('uint8_t', ROOM, 'Typed'), ZEROS);
  const length = checked('nn_recvmsg', nn.recvmsg(handle, place, NN_DONTWAIT));
  const control = koffi.decode(place, CONTROL, koffi.array('uint8_t', ROOM, 'Typed'));
  return { memory: koffi.decode(place, BODY, 'void *'), length, peer: peerIn(control) };
}

function peerIn(bytes) {
  const control = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + HEAD <= ROOM; ) {
    const length = Number(control.readBigUInt64LE(at));
    if (length < HEAD) break;
    if (control.readInt32LE(at + 8) === NN_SOL_SOCKET && control.readInt32LE(at + 12) === NN_RECV_PEER) {
      return JSON.parse(control.toString('utf8', at + HEAD, at + length));
    }
    at += Math.ceil(length / 8) * 8;
  }
  return null;
}

module.exports = { receive };

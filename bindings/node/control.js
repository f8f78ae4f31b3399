'use strict';
// The header of a message as the control message SP_HDR of nn_sendmsg and nn_recvmsg: cmsg_len, cmsg_level and cmsg_type,
// then the header's length and its bytes, padded to a multiple of 8. And its peer, as NN_RECV_PEER of nn_recvmsg.

const { NN_RECV_PEER, NN_SOL_SOCKET } = require('./library.js').constants;

const PROTO_SP = 1;
const SP_HDR = 1;
const HEAD = 16; // sizeof (struct nn_cmsghdr)

function packed(header) {
  const length = HEAD + 8 + header.length;
  const control = Buffer.alloc(Math.ceil(length / 8) * 8);
  control.writeBigUInt64LE(BigInt(length), 0);
  control.writeInt32LE(PROTO_SP, 8);
  control.writeInt32LE(SP_HDR, 12);
  control.writeBigUInt64LE(BigInt(header.length), HEAD);
  control.set(header, HEAD + 8);
  return control;
}

/** A copy of the header, empty if there is none, and the peer, or null, in the control messages of a received message. */
function unpacked(control) {
  const found = { header: Buffer.alloc(0), peer: null };
  for (let at = 0; at + HEAD + 8 <= control.length; ) {
    const length = Number(control.readBigUInt64LE(at));
    if (length < HEAD) break;
    const [level, type, start] = [control.readInt32LE(at + 8), control.readInt32LE(at + 12), at + HEAD];
    if (level === PROTO_SP && type === SP_HDR) {
      found.header = Buffer.from(control.subarray(start + 8, start + 8 + Number(control.readBigUInt64LE(start))));
    } else if (level === NN_SOL_SOCKET && type === NN_RECV_PEER) {
      found.peer = JSON.parse(control.toString('utf8', start, at + length));
    }
    at += Math.ceil(length / 8) * 8;
  }
  return found;
}

module.exports = { packed, unpacked };

'use strict';
// The header of a message as the control message SP_HDR of nn_sendmsg and nn_recvmsg: cmsg_len, cmsg_level and cmsg_type,
// then the header's length and its bytes, padded to a multiple of 8.

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

/** A copy of the header in the control messages of a received message; empty, if there is none. */
function unpacked(control) {
  for (let at = 0; at + HEAD + 8 <= control.length; ) {
    const length = Number(control.readBigUInt64LE(at));
    if (length < HEAD) break;
    if (control.readInt32LE(at + 8) === PROTO_SP && control.readInt32LE(at + 12) === SP_HDR) {
      const start = at + HEAD + 8;
      return Buffer.from(control.subarray(start, start + Number(control.readBigUInt64LE(at + HEAD))));
    }
    at += Math.ceil(length / 8) * 8;
  }
  return Buffer.alloc(0);
}

module.exports = { packed, unpacked };

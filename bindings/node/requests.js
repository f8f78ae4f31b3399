'use strict';
// Several requests at once over one raw REQ socket, and over one raw REP socket several that are answered in any order.

const { randomInt } = require('node:crypto');

const { Socket } = require('./index.js');
const { NanomsgError, bytesOf, constants } = require('./library.js');
const { forget, ready } = require('./waiting.js');

const { EAGAIN, EBADF, EFSM, EINVAL, ETIMEDOUT, NN_POLLIN, NN_POLLOUT } = constants;
const LAST_WORD = 0x8000_0000; // the top bit of a request id
const LONGEST = 0x7fff_ffff; // ms, of Node's timers
const RESEND_INTERVAL = 60_000; // ms, as NN_REQ_RESEND_IVL of a req socket
const RETRY_INTERVAL = 100; // ms until one is tried once more that no peer could take when it was to be sent again
const AT_ONCE = 64; // replies that are handed out before the event loop runs on

/** A raw socket of that type: the one that is given, or a new one that is bound or connected to the addresses. */
function rawSocket(type, where) {
  if (where instanceof Socket) {
    if (where.type !== type || !where.raw) throw new NanomsgError(EINVAL, 'nn_socket');
    return where;
  }
  const socket = new Socket(type, { raw: true });
  try {
    for (const address of [where].flat()) {
      if (type === 'rep') socket.bind(address);
      else socket.connect(address);
    }
  } catch (error) {
    socket.close();
    throw error;
  }
  return socket;
}

/**
 * Asks any number of requests at once over one socket: made of an address or several, to which it connects, or of a raw
 * req socket, which it closes with itself. A request without a reply is sent again after `resendInterval` ms (at least 1,
 * negative for never).
 */
class Requests {
  #resendInterval;
  #outstanding = new Map(); // what to do with a reply, by its request id
  #next = randomInt(LAST_WORD);
  #reading = false;

  constructor(where, { resendInterval = RESEND_INTERVAL } = {}) {
    if (!Number.isInteger(resendInterval) || resendInterval === 0 || resendInterval > LONGEST) {
      throw new NanomsgError(EINVAL, 'nn_setsockopt');
    }
    this.#resendInterval = resendInterval;
    this.socket = rawSocket('req', where);
  }

  /**
   * Sends one request and resolves to the reply. Rejects with ETIMEDOUT after `timeout` ms (negative for never; without
   * one after recvTimeout of the socket), with EBADF when it is closed, or with the reason of an AbortSignal; the reply
   * is dropped then.
   */
  async ask(data, { timeout = this.socket.recvTimeout, signal } = {}) {
    signal?.throwIfAborted();
    if (!Number.isInteger(timeout) || timeout > LONGEST) throw new NanomsgError(EINVAL, 'nn_recv');
    const body = Buffer.from(bytesOf(data)); // a copy: it may be sent again
    const id = this.#newId();
    const header = Buffer.alloc(4);
    header.writeUInt32BE(id);
    let deadline;
    let resend;
    let abort;
    try {
      return await new Promise((resolve, reject) => {
        const fail = (error) => {
          this.#outstanding.delete(id);
          reject(error);
        };
        this.#outstanding.set(id, { resolve, fail });
        if (timeout >= 0) deadline = setTimeout(() => fail(new NanomsgError(ETIMEDOUT, 'nn_recv')), timeout);
        abort = () => fail(signal.reason);
        signal?.addEventListener('abort', abort);
        const again = () => {
          const interval = this.#sent(body, header, fail) ? this.#resendInterval : RETRY_INTERVAL;
          resend = setTimeout(again, interval);
        };
        const sent = () => {
          if (!this.#outstanding.has(id)) return;
          if (this.#resendInterval > 0) resend = setTimeout(again, this.#resendInterval);
          this.#read();
        };
        this.#firstSent(id, body, header, fail).then(sent, fail);
      });
    } finally {
      clearTimeout(deadline);
      clearTimeout(resend);
      signal?.removeEventListener('abort', abort);
      this.#outstanding.delete(id);
      // Who reads or waits for a peer sees that there is nothing left to do.
      if (this.#outstanding.size === 0) forget(this.socket.handle);
    }
  }

  /** Closes the socket; requests under way reject with EBADF. */
  async close() {
    const closed = this.socket.close();
    for (const { fail } of this.#outstanding.values()) fail(new NanomsgError(EBADF, 'nn_recv'));
    await closed;
  }

  async [Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]() {
    await this.close();
  }

  #newId() {
    for (;;) {
      const id = LAST_WORD + this.#next;
      this.#next = (this.#next + 1) % LAST_WORD;
      if (!this.#outstanding.has(id)) return id;
    }
  }

  #sent(body, header, fail) {
    try {
      this.socket.trySend(body, { header });
      return true;
    } catch (error) {
      if (error.errno !== EAGAIN) fail(error);
      return false;
    }
  }

  async #firstSent(id, body, header, fail) {
    while (!this.#sent(body, header, fail) && this.#outstanding.has(id)) {
      await ready([{ handle: this.socket.handle, events: NN_POLLOUT }], -1);
      if (!this.#outstanding.has(id)) return;
    }
  }

  /** Hands out replies, for as long as requests are under way. */
  async #read() {
    if (this.#reading) return;
    this.#reading = true;
    try {
      for (let count = 1; this.#outstanding.size > 0; count++) {
        let message;
        try {
          message = this.socket.tryRecvMessage();
        } catch (error) {
          if (error.errno !== EAGAIN) throw error;
          await ready([{ handle: this.socket.handle, events: NN_POLLIN }], -1);
          continue;
        }
        const id = message.header.length === 4 ? message.header.readUInt32BE() : undefined;
        const body = message._consume();
        this.#outstanding.get(id)?.resolve(body);
        this.#outstanding.delete(id);
        if (count % AT_ONCE === 0) await new Promise(setImmediate);
      }
    } catch (error) {
      for (const { fail } of this.#outstanding.values()) fail(error);
    } finally {
      this.#reading = false;
    }
  }
}

/** A request that was received, to be answered whenever it is, or not at all. */
class Request {
  #socket;
  #answered = false;

  constructor(socket, message) {
    this.#socket = socket;
    this.body = message._consume();
    /** The way back (the backtrace): the connection that it came by, the hops before it, its id. */
    this.header = message.header;
  }

  /** Sends the reply. It is dropped if who asked has gone, or takes no more. Rejects with EFSM the second time. */
  async reply(data) {
    const body = bytesOf(data);
    if (this.#answered) throw new NanomsgError(EFSM, 'nn_send');
    this.#answered = true;
    await this.#socket.send(body, { header: this.header });
  }
}

/**
 * Receives requests, any number before the first is answered: made of an address or several, to which it binds, or of a
 * raw rep socket, which it closes with itself.
 */
class Replies {
  constructor(where) {
    this.socket = rawSocket('rep', where);
  }

  /** Receives one request; rejects with ETIMEDOUT after recvTimeout of the socket, or with EBADF. */
  async recv() {
    return new Request(this.socket, await this.socket.recvMessage());
  }

  /** The requests that come, until it is closed. */
  async *[Symbol.asyncIterator]() {
    try {
      for (;;) yield await this.recv();
    } catch (error) {
      if (error.code !== 'EBADF') throw error;
    }
  }

  async close() {
    await this.socket.close();
  }

  async [Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]() {
    await this.close();
  }
}

module.exports = { Replies, Request, Requests };

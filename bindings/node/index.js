'use strict';
// Sockets and what is done with them. Whatever may wait returns a promise, and the event loop runs on.

const { packed, unpacked } = require('./control.js');
const { NN_MSG, NanomsgError, bytesOf, checked, constants, file, koffi, nn } = require('./library.js');
const { forget, look, ready } = require('./waiting.js');

const { AF_SP, AF_SP_RAW, NN_DONTWAIT, NN_POLLIN, NN_POLLOUT, NN_SOL_SOCKET } = constants;
const { EAGAIN, EBADF, EINVAL, ETIMEDOUT } = constants;
const CLOSED = -1;
const CONTROL_ROOM = 2048; // bytes: more than the header of a message that has made 255 hops

const types = ['pair', 'pub', 'sub', 'req', 'rep', 'push', 'pull', 'surveyor', 'respondent', 'bus'];

const freed = new FinalizationRegistry((memory) => nn.freemsg(memory));

/** A message in the library's own memory: received by `recvMessage`, and sent on without a copy. */
class Message {
  #memory;

  constructor(memory, length, { header, peer }) {
    this.#memory = memory;
    this.length = length;
    /** What raw sockets route by; empty on all others. */
    this.header = header;
    /** Whom it came from, if the socket's `recvPeer` is set: `{ pipe, type, address, local, pid, uid, gid, certificate }`, as far as known. */
    this.peer = peer;
    freed.register(this, memory, this);
  }

  /** Where its bytes are; 0n once it was sent. */
  get address() {
    return this.#memory === null ? 0n : koffi.address(this.#memory);
  }

  /** A copy of its bytes. */
  toBuffer() {
    return copied(this.#memory, this.length);
  }

  /** @internal Its bytes, and the end of it: not waiting for the garbage collector. */
  _consume() {
    const bytes = this.toBuffer();
    freed.unregister(this);
    nn.freemsg(this.#memory);
    this.#memory = null;
    this.length = 0;
    return bytes;
  }

  /** @internal */
  _sendBy(call) {
    if (this.#memory === null) throw new NanomsgError(EINVAL, 'nn_send');
    const variable = Buffer.alloc(8);
    variable.writeBigUInt64LE(this.address);
    const result = call(variable, NN_MSG);
    if (result >= 0) {
      freed.unregister(this);
      this.#memory = null;
      this.length = 0;
    }
    return result;
  }
}

function copied(memory, length) {
  if (length === 0) return Buffer.alloc(0);
  const bytes = koffi.decode(memory, koffi.array('uint8_t', length, 'Typed'));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** One end of a pattern, open until `close`. */
class Socket {
  #handle;

  constructor(type, { raw = false } = {}) {
    if (!types.includes(type)) throw new TypeError(`no socket type is called '${type}'`);
    this.type = type;
    this.raw = raw;
    this.#handle = checked('nn_socket', nn.socket(raw ? AF_SP_RAW : AF_SP, constants[`NN_${type.toUpperCase()}`]));
  }

  /** The library's number for this socket, -1 once closed. */
  get handle() {
    return this.#handle;
  }

  /** Listens at an address and returns the endpoint's id. */
  bind(address) {
    return checked('nn_bind', nn.bind(this.#handle, address), address);
  }

  /** Connects to an address, now or whenever there is somebody, and returns the endpoint's id. */
  connect(address) {
    return checked('nn_connect', nn.connect(this.#handle, address), address);
  }

  /** The address of an endpoint, with the port that the system has chosen where port 0 was bound. */
  endpointAddress(endpoint) {
    return this.getOption(constants.NN_ENDPOINT, endpoint, 256).toString();
  }

  /** Removes an endpoint. */
  shutdown(endpoint) {
    checked('nn_shutdown', nn.shutdown(this.#handle, endpoint));
  }

  /** Sends one message; resolves when the library has it. A raw socket may be given a header with the bytes. */
  async send(data, { header } = {}) {
    const body = data instanceof Message ? data : bytesOf(data);
    await this.#repeat(() => this.trySend(body, { header }), NN_POLLOUT, () => this.sendTimeout);
  }

  /** Receives one message. */
  recv() {
    return this.#repeat(() => this.tryRecv(), NN_POLLIN, () => this.recvTimeout);
  }

  /** Receives one message as the library holds it. */
  recvMessage() {
    return this.#repeat(() => this.tryRecvMessage(), NN_POLLIN, () => this.recvTimeout);
  }

  /** Sends without waiting: throws EAGAIN instead. */
  trySend(data, { header = data.header } = {}) {
    const call = (memory, length) => {
      if (!this.raw || !header?.length) return nn.send(this.#handle, memory, length, NN_DONTWAIT);
      const control = packed(header);
      const part = { iov_base: memory, iov_len: length };
      const message = { msg_iov: [part], msg_iovlen: 1, msg_control: control, msg_controllen: control.length };
      return nn.sendmsg(this.#handle, message, NN_DONTWAIT);
    };
    if (data instanceof Message) {
      checked('nn_send', data._sendBy(call));
      return;
    }
    const bytes = bytesOf(data);
    checked('nn_send', call(bytes, bytes.length));
  }

  /** Receives without waiting: throws EAGAIN instead. */
  tryRecv() {
    const { memory, length } = this.#take();
    try {
      return copied(memory, length);
    } finally {
      nn.freemsg(memory);
    }
  }

  /** The same as the library holds it. */
  tryRecvMessage() {
    const variable = Buffer.alloc(8);
    const control = Buffer.alloc(CONTROL_ROOM);
    const part = { iov_base: variable, iov_len: NN_MSG };
    const message = { msg_iov: [part], msg_iovlen: 1, msg_control: control, msg_controllen: control.length };
    const length = checked('nn_recvmsg', nn.recvmsg(this.#handle, message, NN_DONTWAIT));
    return new Message(variable.readBigUInt64LE(), length, unpacked(control));
  }

  /** The messages that come, until the socket is closed. */
  async *[Symbol.asyncIterator]() {
    try {
      for (;;) yield await this.recv();
    } catch (error) {
      if (error.code !== 'EBADF') throw error;
    }
  }

  /** Lets a sub socket receive the messages that start with the topic; '' is all of them. */
  subscribe(topic) {
    this.setOption(constants.NN_SUB, constants.NN_SUB_SUBSCRIBE, bytesOf(topic));
  }

  /** Takes one `subscribe` of that topic back. */
  unsubscribe(topic) {
    this.setOption(constants.NN_SUB, constants.NN_SUB_UNSUBSCRIBE, bytesOf(topic));
  }

  /** Pub, sub: whether connections to come carry subscriptions, so that a pub sends only what is wanted; 0 or 1. */
  get forwardSubscriptions() {
    return this.getOption(constants[`NN_${this.type.toUpperCase()}`], constants.NN_SUB_FORWARD);
  }

  set forwardSubscriptions(value) {
    this.setOption(constants[`NN_${this.type.toUpperCase()}`], constants.NN_SUB_FORWARD, Number(value));
  }

  /** Sets any option: an integer, or bytes. */
  setOption(level, option, value) {
    let bytes = value;
    if (typeof value === 'number') {
      bytes = Buffer.alloc(4);
      bytes.writeInt32LE(value); // a RangeError for what is no C int
    }
    checked('nn_setsockopt', nn.setsockopt(this.#handle, level, option, bytes, bytes.length));
  }

  /** Any option's value: an integer, or with a size up to that many bytes. */
  getOption(level, option, size) {
    const value = Buffer.alloc(size ?? 4);
    const length = [value.length];
    checked('nn_getsockopt', nn.getsockopt(this.#handle, level, option, value, length));
    return size === undefined ? value.readInt32LE() : value.subarray(0, Math.min(size, Number(length[0])));
  }

  /** The value of an option that is text, however long it is. */
  getText(level, option) {
    // Twice as much as it was: it may grow until we look again.
    for (let size = 512; ; size *= 2) {
      const value = Buffer.alloc(size);
      const length = [size];
      checked('nn_getsockopt', nn.getsockopt(this.#handle, level, option, value, length));
      if (Number(length[0]) <= size) return value.toString('utf8', 0, Number(length[0]));
      size = Number(length[0]);
    }
  }

  /** Where the socket publishes what happens to it; '' for nowhere. `Monitor` sets it and reads the events. */
  get monitor() {
    return this.getText(NN_SOL_SOCKET, constants.NN_MONITOR);
  }

  set monitor(address) {
    this.setOption(NN_SOL_SOCKET, constants.NN_MONITOR, Buffer.from(address));
  }

  /** What error reports call the socket. */
  get name() {
    return this.getOption(NN_SOL_SOCKET, constants.NN_SOCKET_NAME, 64).toString();
  }

  set name(value) {
    this.setOption(NN_SOL_SOCKET, constants.NN_SOCKET_NAME, Buffer.from(value));
  }

  /** One counter: a number of NN_STAT_*. */
  statistic(which) {
    const value = Number(nn.statistic(this.#handle, which));
    // -1 is a failure, and also the send priority while nobody can be sent to.
    if (value === -1 && which !== constants.NN_STAT_CURRENT_SND_PRIORITY) checked('nn_get_statistic', value);
    return value;
  }

  /** All counters, by their names in C without NN_STAT_. */
  statistics() {
    const counters = Object.keys(constants).filter((name) => name.startsWith('NN_STAT_'));
    return Object.fromEntries(counters.map((name) => [name.slice(8), this.statistic(constants[name])]));
  }

  /**
   * The same and more at one moment: `counters`, `endpoints` with what has become of them, and `connections`, each with its
   * peer, traffic, queues and round-trip time. NN_STATISTICS, as docs/monitoring.schema.json has it.
   */
  report() {
    return JSON.parse(this.getText(NN_SOL_SOCKET, constants.NN_STATISTICS));
  }

  /** Closes the socket, once what was accepted is written or `linger` is over. What waits on it rejects with EBADF. */
  async close() {
    const handle = this.#handle;
    if (handle === CLOSED) return;
    this.#handle = CLOSED;
    forget(handle);
    await new Promise((resolve) => nn.close.async(handle, resolve));
  }

  async [Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]() {
    await this.close();
  }

  #take() {
    const out = [null];
    const length = checked('nn_recv', nn.recv(this.#handle, out, NN_MSG, NN_DONTWAIT));
    return { memory: out[0], length };
  }

  async #repeat(attempt, events, timeout) {
    let deadline;
    for (;;) {
      try {
        return attempt();
      } catch (error) {
        if (error.errno !== EAGAIN) throw error;
      }
      const now = performance.now();
      if (deadline === undefined) {
        const limit = timeout();
        deadline = limit < 0 ? Infinity : now + limit;
      }
      if (now >= deadline) throw new NanomsgError(ETIMEDOUT, events === NN_POLLIN ? 'nn_recv' : 'nn_send');
      const left = deadline === Infinity ? -1 : Math.ceil(deadline - now);
      await ready([{ handle: this.#handle, events }], left);
    }
  }
}

// Integer options as properties; times in ms, negative for none.
const options = {
  linger: [NN_SOL_SOCKET, 'NN_LINGER'],
  sendBuffer: [NN_SOL_SOCKET, 'NN_SNDBUF'],
  recvBuffer: [NN_SOL_SOCKET, 'NN_RCVBUF'],
  recvMaxSize: [NN_SOL_SOCKET, 'NN_RCVMAXSIZE'],
  sendTimeout: [NN_SOL_SOCKET, 'NN_SNDTIMEO'],
  recvTimeout: [NN_SOL_SOCKET, 'NN_RCVTIMEO'],
  reconnectInterval: [NN_SOL_SOCKET, 'NN_RECONNECT_IVL'],
  reconnectIntervalMax: [NN_SOL_SOCKET, 'NN_RECONNECT_IVL_MAX'],
  sendPriority: [NN_SOL_SOCKET, 'NN_SNDPRIO'],
  recvPriority: [NN_SOL_SOCKET, 'NN_RCVPRIO'],
  ipv4Only: [NN_SOL_SOCKET, 'NN_IPV4ONLY'],
  maxTtl: [NN_SOL_SOCKET, 'NN_MAXTTL'],
  conflate: [NN_SOL_SOCKET, 'NN_CONFLATE'],
  conflatePrefix: [NN_SOL_SOCKET, 'NN_CONFLATE_PREFIX'],
  overflow: [NN_SOL_SOCKET, 'NN_OVERFLOW'],
  sharedMemory: [NN_SOL_SOCKET, 'NN_SHARED_MEMORY'],
  sharedMemoryMin: [NN_SOL_SOCKET, 'NN_SHARED_MEMORY_MIN'],
  recvPeer: [NN_SOL_SOCKET, 'NN_RECV_PEER'],
  tcpNodelay: [constants.NN_TCP, 'NN_TCP_NODELAY'],
  connectTimeout: [NN_SOL_SOCKET, 'NN_CONNECT_TIMEOUT'],
  tcpKeepaliveIdle: [constants.NN_TCP, 'NN_TCP_KEEPALIVE_IDLE'],
  tcpKeepaliveInterval: [constants.NN_TCP, 'NN_TCP_KEEPALIVE_INTERVAL'],
  tcpKeepaliveCount: [constants.NN_TCP, 'NN_TCP_KEEPALIVE_COUNT'],
  tcpUserTimeout: [constants.NN_TCP, 'NN_TCP_USER_TIMEOUT'],
  ipcMode: [constants.NN_IPC, 'NN_IPC_MODE'],
  wsPing: [constants.NN_WS, 'NN_WS_PING'],
  wsMessageType: [constants.NN_WS, 'NN_WS_MSG_TYPE'],
  tlsVerify: [constants.NN_TLS, 'NN_TLS_VERIFY'],
  tlsMinVersion: [constants.NN_TLS, 'NN_TLS_MIN_VERSION'],
  resendInterval: [constants.NN_REQ, 'NN_REQ_RESEND_IVL'],
  failFast: [constants.NN_REQ, 'NN_REQ_FAIL_FAST'],
  surveyDeadline: [constants.NN_SURVEYOR, 'NN_SURVEYOR_DEADLINE'],
};
for (const [property, [level, name]] of Object.entries(options)) {
  Object.defineProperty(Socket.prototype, property, {
    get() {
      return this.getOption(level, constants[name]);
    },
    set(value) {
      this.setOption(level, constants[name], Number(value));
    },
  });
}

// Options of TLS that are text: PEM or the path of a file of it, or a name; empty for none.
for (const [property, name] of Object.entries({
  tlsCa: 'NN_TLS_CA',
  tlsCert: 'NN_TLS_CERT',
  tlsKey: 'NN_TLS_KEY',
  tlsName: 'NN_TLS_NAME',
})) {
  Object.defineProperty(Socket.prototype, property, {
    get() {
      return this.getText(constants.NN_TLS, constants[name]);
    },
    set(value) {
      this.setOption(constants.NN_TLS, constants[name], bytesOf(value));
    },
  });
}

let monitors = 0;

/**
 * Lets a socket publish what happens to its endpoints and connections, and receives it: from the first event on, and to the last
 * if the socket is closed. The events are objects as docs/monitoring.schema.json has them.
 *
 * They are published at an inproc address of the monitor's own, or at the given one, which then has to be one that can be
 * connected to, and where others may subscribe too.
 */
class Monitor {
  #watched;
  #subscriber = new Socket('sub');
  #ended = false;

  constructor(socket, address = `inproc://nanomsg-rs-node-monitor-${process.pid}-${(monitors += 1)}-${Math.random()}`) {
    this.#watched = socket;
    const subscriber = this.#subscriber;
    subscriber.subscribe('');
    subscriber.recvBuffer = 1 << 20;
    subscriber.recvMaxSize = -1;
    // Within the process it can be there before anything is published.
    const early = address.startsWith('inproc://');
    try {
      if (early) subscriber.connect(address);
      socket.monitor = address;
      /** Where the events are published, with the port that the system has chosen. */
      this.address = socket.monitor;
      if (!early) subscriber.connect(this.address);
    } catch (error) {
      subscriber.close();
      throw error;
    }
  }

  /** The next event; rejects with ETIMEDOUT if there is none within so many ms. */
  async recv(timeout = -1) {
    this.#subscriber.recvTimeout = timeout;
    const message = String(await this.#subscriber.recv());
    // Its name and a space go before it.
    const event = JSON.parse(message.slice(message.indexOf(' ') + 1));
    this.#ended = event.event === 'monitor_stopped';
    return event;
  }

  /** The events that come, until there was none for so many ms; the last one of all is 'monitor_stopped'. */
  async *events(timeout = -1) {
    try {
      while (!this.#ended) yield await this.recv(timeout);
    } catch (error) {
      if (error.code !== 'EBADF' && error.code !== 'ETIMEDOUT') throw error;
    }
  }

  [Symbol.asyncIterator]() {
    return this.events();
  }

  /** Ends the publishing. */
  async close() {
    try {
      if (this.#watched.monitor === this.address) this.#watched.monitor = '';
    } catch (error) {
      // It has been closed, which ends its monitor.
      if (error.code !== 'EBADF') throw error;
    }
    await this.#subscriber.close();
  }

  async [Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]() {
    await this.close();
  }
}

/**
 * Resolves to those of `[{ socket, recv, send }]` that are ready, each with what it is ready for; to an empty list after
 * so many ms, if that is not negative.
 */
async function poll(requests, timeout = -1) {
  const deadline = timeout < 0 ? Infinity : performance.now() + timeout;
  for (;;) {
    const list = requests.map(({ socket, recv, send }) => ({
      handle: socket.handle,
      events: (recv ? NN_POLLIN : 0) | (send ? NN_POLLOUT : 0),
    }));
    const events = look(list);
    const answer = requests.map(({ socket }, index) => ({
      socket,
      recv: (events[index] & NN_POLLIN) !== 0,
      send: (events[index] & NN_POLLOUT) !== 0,
    }));
    const some = answer.filter(({ recv, send }) => recv || send);
    const now = performance.now();
    if (some.length > 0 || now >= deadline) return some;
    await ready(list, deadline === Infinity ? -1 : Math.ceil(deadline - now));
  }
}

/**
 * Forwards messages between two raw sockets, or of one back to itself, in a thread of Node's pool, which it has to itself
 * until it fails; then it rejects, with EBADF when one of them was closed.
 */
async function device(first, second) {
  const handles = [first.handle, second === undefined ? CLOSED : second.handle];
  // Its errno is that of another thread. What never works is told here, by the sockets themselves.
  if (handles[0] === CLOSED || (second !== undefined && handles[1] === CLOSED)) throw new NanomsgError(EBADF, 'nn_device');
  const sockets = second === undefined ? [first] : [first, second];
  await new Promise((resolve) => nn.device.async(...handles, resolve));
  throw new NanomsgError(sockets.some((socket) => socket.handle === CLOSED) ? EBADF : EINVAL, 'nn_device');
}

module.exports = { Message, Monitor, NanomsgError, Socket, constants, device, libraryFile: file, poll };
// It is made of these.
Object.assign(module.exports, require('./requests.js'));

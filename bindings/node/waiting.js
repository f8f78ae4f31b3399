'use strict';
// Waiting for sockets without stopping the event loop.
//
// One nn_poll for all sockets that are waited for runs in one thread of Node's pool, however many they are. When another
// one comes, or the last one goes, it is interrupted through a pair of sockets that it always polls as well. While nobody
// waits nothing runs, and Node may end.

const { checked, constants, nn } = require('./library.js');
const { AF_SP, NN_DONTWAIT, NN_PAIR, NN_POLLIN } = constants;

const ENTRY = 8; // sizeof (struct nn_pollfd)

function entries(list) {
  const memory = Buffer.alloc(list.length * ENTRY);
  list.forEach(({ handle, events }, index) => {
    memory.writeInt32LE(handle, index * ENTRY);
    memory.writeInt16LE(events, index * ENTRY + 4);
  });
  return memory;
}

const found = (memory, index) => memory.readInt16LE(index * ENTRY + 6);

/** Which events of each entry hold now. */
function look(list) {
  const memory = entries(list);
  checked('nn_poll', nn.poll(memory, list.length, 0));
  return list.map((_, index) => found(memory, index));
}

const waiting = new Set();
let bell; // what interrupts the poll: the end that rings, and the end that is polled
let polling = false;
let scheduled = false;

/** Resolves when one of the entries may be ready (it may also be a false alarm) or after so many ms (never, if negative). */
function ready(list, timeout) {
  return new Promise((resolve, reject) => {
    const request = { list, timer: undefined, end, reject };
    function end() {
      clearTimeout(request.timer);
      if (waiting.delete(request) && waiting.size === 0) ring();
      resolve();
    }
    // Node's timers hold 31 bits, as does the option.
    if (timeout >= 0) request.timer = setTimeout(end, timeout);
    waiting.add(request);
    schedule();
  });
}

/** Ends the waiting for a handle that is being closed. */
function forget(handle) {
  for (const request of [...waiting]) if (request.list.some((entry) => entry.handle === handle)) request.end();
}

function schedule() {
  if (scheduled) return;
  scheduled = true;
  queueMicrotask(() => {
    scheduled = false;
    try {
      if (polling) ring();
      else start();
    } catch (error) {
      for (const request of waiting) {
        clearTimeout(request.timer);
        request.reject(error);
      }
      waiting.clear();
    }
  });
}

function ring() {
  // What is there already rings as well.
  if (polling) nn.send(bell.rope, Buffer.alloc(1), 1, NN_DONTWAIT);
}

function hang() {
  const address = `inproc://nanomsg-rs-node-${process.pid}-${Math.random()}`;
  const [rope, clapper] = [0, 0].map(() => checked('nn_socket', nn.socket(AF_SP, NN_PAIR)));
  checked('nn_bind', nn.bind(rope, address));
  checked('nn_connect', nn.connect(clapper, address));
  // Node joins the threads of its pool when it ends.
  process.once('exit', ring);
  return { rope, clapper };
}

function start() {
  if (waiting.size === 0) return;
  bell ??= hang();
  const requests = [...waiting];
  const list = [{ handle: bell.clapper, events: NN_POLLIN }, ...requests.flatMap((request) => request.list)];
  const memory = entries(list);
  polling = true;
  nn.poll.async(memory, list.length, -1, (failure, count) => {
    polling = false;
    const out = [null];
    while (nn.recv(bell.clapper, out, 2n ** 64n - 1n, NN_DONTWAIT) >= 0) nn.freemsg(out[0]);
    // A poll that failed says not whose fault it was: each finds out on its own.
    const failed = failure !== null || count < 0;
    let index = 1;
    for (const request of requests) {
      const some = request.list.filter(() => found(memory, index++) !== 0).length > 0;
      if (some || failed) request.end();
    }
    schedule();
  });
}

module.exports = { forget, look, ready };

'use strict';
// Watching a socket, where it is more than the scenario that all languages share.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { Monitor, Socket } = require('..');

const names = async (events) => {
  const found = [];
  for await (const { event } of events) found.push(event);
  return found;
};

test('the end of the socket ends the events', async () => {
  const socket = new Socket('pair');
  const monitor = new Monitor(socket);
  socket.connect('inproc://nobody');
  assert.deepEqual(await names(monitor.events(10)), ['connecting']);
  const watching = names(monitor);
  await socket.close();
  assert.deepEqual(await watching, ['closed', 'monitor_stopped']);
  assert.deepEqual(await names(monitor), []);
  await monitor.close();
});

test('the end of the monitor ends the publishing, of its own only', async () => {
  const socket = new Socket('pair');
  const [first, second] = [new Monitor(socket), new Monitor(socket)];
  assert.deepEqual(await names(first), ['monitor_stopped']);
  await first.close();
  assert.equal(socket.monitor, second.address);
  await second.close();
  assert.equal(socket.monitor, '');
  await assert.rejects(second.recv(), { code: 'EBADF' });
  assert.deepEqual(await names(second), []);
  await socket.close();
});

test('a given address is where others can subscribe, and may be refused', async () => {
  const [socket, other] = [new Socket('pair'), new Socket('sub')];
  const monitor = new Monitor(socket, 'tcp://127.0.0.1:0');
  assert.match(monitor.address, /^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);
  other.subscribe('listening ');
  other.connect(monitor.address);
  other.recvTimeout = 50;
  // Their subscriptions may still be on their way.
  const told = async (recv) => {
    for (let tries = 0; ; tries++) {
      socket.bind(`inproc://given-${process.pid}-${tries}-${Math.random()}`);
      try {
        return await recv();
      } catch (error) {
        if (error.code !== 'ETIMEDOUT' || tries > 200) throw error;
      }
    }
  };
  assert.match(String(await told(() => other.recv())), /^listening {/);
  assert.equal((await told(() => monitor.recv(50))).event, 'listening');
  assert.throws(() => new Monitor(other, monitor.address), { code: 'EADDRINUSE' });
  assert.throws(() => new Monitor(other, 'nonsense'), { code: 'EINVAL' });
  assert.equal(other.monitor, '');
  await Promise.all([monitor.close(), socket.close(), other.close()]);
});

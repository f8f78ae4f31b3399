'use strict';
// Waiting as a program meets it: the event loop runs on, however many sockets wait, and Node ends.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const path = require('node:path');
const { test } = require('node:test');
const { promisify } = require('node:util');

const { Message, Socket, constants, device } = require('..');

const limit = { timeout: 20_000 };

test('more sockets wait than there are threads', limit, async () => {
  const pairs = Array.from({ length: 30 }, (_, index) => {
    const [a, b] = [new Socket('pair'), new Socket('pair')];
    a.bind(`inproc://many-${index}`);
    b.connect(`inproc://many-${index}`);
    return [a, b];
  });
  const waiting = pairs.map(([a]) => a.recv());
  await new Promise(setImmediate); // the event loop runs
  for (const [index, [, b]] of pairs.entries()) await b.send(String(index));
  const got = (await Promise.all(waiting)).map(Number);
  assert.deepEqual(got, [...pairs.keys()]);
  await Promise.all(pairs.flat().map((socket) => socket.close()));
});

test('a send waits for a peer', limit, async () => {
  const [push, pull] = [new Socket('push'), new Socket('pull')];
  const sent = push.send('hello');
  push.bind('inproc://send-waits');
  pull.connect('inproc://send-waits');
  assert.equal((await pull.recv()).toString(), 'hello');
  await sent;
  await Promise.all([push.close(), pull.close()]);
});

test('messages can be iterated until the socket is closed', limit, async () => {
  const [a, b] = [new Socket('pair'), new Socket('pair')];
  a.bind('inproc://iterated');
  b.connect('inproc://iterated');
  for (const word of ['one', 'two', 'end']) await b.send(word);
  const got = [];
  for await (const message of a) {
    got.push(message.toString());
    if (got.at(-1) === 'end') await a.close();
  }
  assert.deepEqual(got, ['one', 'two', 'end']);
  await b.close();
});

test('bytes may come in several shapes', limit, async () => {
  const [a, b] = [new Socket('pair'), new Socket('pair')];
  a.bind('inproc://shapes');
  b.connect('inproc://shapes');
  for (const data of ['abc', Buffer.from('xabcx').subarray(1, 4), new Uint8Array([97, 98, 99]).buffer]) {
    await b.send(data);
    assert.equal((await a.recv()).toString(), 'abc');
  }
  await assert.rejects(b.send(5), TypeError);
  await Promise.all([a.close(), b.close()]);
});

test('a message that was not sent is still there', limit, async () => {
  const [a, b, lonely] = [new Socket('pair'), new Socket('pair'), new Socket('pair')];
  a.bind('inproc://not-sent');
  b.connect('inproc://not-sent');
  await b.send('hello');
  const message = await a.recvMessage();
  assert.ok(message instanceof Message);
  assert.throws(() => lonely.trySend(message), { code: 'EAGAIN' });
  assert.equal(message.toBuffer().toString(), 'hello');
  await a.send(message);
  assert.throws(() => a.trySend(message), { code: 'EINVAL' });
  await Promise.all([a.close(), b.close(), lonely.close()]);
});

test('a device of sockets that do not fit rejects', limit, async () => {
  const [a, b] = [new Socket('pair'), new Socket('pair')];
  await assert.rejects(device(a, b), { code: 'EINVAL' });
  await a.close();
  await assert.rejects(device(a, b), { code: 'EBADF' });
  await b.close();
});

test('all types are there', limit, async () => {
  for (const type of ['pair', 'pub', 'sub', 'req', 'rep', 'push', 'pull', 'surveyor', 'respondent', 'bus']) {
    const socket = new Socket(type);
    assert.equal(socket.getOption(constants.NN_SOL_SOCKET, constants.NN_PROTOCOL), constants[`NN_${type.toUpperCase()}`]);
    await socket.close();
  }
  assert.throws(() => new Socket('stream'), TypeError);
});

const endings = {
  'a process ends when nobody waits any more': `
    const socket = new Socket('pair');
    socket.recvTimeout = 20;
    socket.recv().catch((error) => console.log(error.code));`,
  'process.exit ends a process that waits': `
    new Socket('pair').recv();
    setImmediate(() => setImmediate(() => { console.log('ETIMEDOUT'); process.exit(); }));`,
};
for (const [name, program] of Object.entries(endings)) {
  test(name, limit, async () => {
    const text = `const { Socket } = require(${JSON.stringify(path.join(__dirname, '..'))});${program}`;
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', text], { timeout: 10_000 });
    assert.equal(stdout, 'ETIMEDOUT\n');
  });
}

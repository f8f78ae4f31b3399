'use strict';
// Several requests at once, beside what all languages do: many, again, forgotten, closed, and a peer that speaks wrongly.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const net = require('node:net');
const path = require('node:path');
const { test } = require('node:test');
const { promisify } = require('node:util');

const { Replies, Requests, Socket } = require('..');

const limit = { timeout: 20_000 };
const timeout = 10_000;
let count = 0;

/** Who asks and who answers, for a test of that name, closed after it. */
function sides(name, run, options) {
  test(name, limit, async () => {
    const place = `inproc://requests-${(count += 1)}`;
    const [replies, requests] = [new Replies(place), new Requests(place, options)];
    requests.socket.recvTimeout = replies.socket.recvTimeout = timeout;
    try {
      await run(requests, replies);
    } finally {
      await Promise.all([requests.close(), replies.close()]);
    }
  });
}

sides('a thousand ask at once', async (requests, replies) => {
  const serving = (async () => {
    for await (const request of replies) setImmediate(() => request.reply(`to ${request.body}`));
  })();
  const asked = Array.from({ length: 1000 }, (_, number) => requests.ask(String(number)));
  assert.deepEqual((await Promise.all(asked)).map(String), Array.from(asked, (_, number) => `to ${number}`));
  await replies.close();
  await serving;
});

sides('each has its own time limit', async (requests, replies) => {
  const patient = requests.ask('patient', { timeout: -1 });
  const kept = await replies.recv();
  await assert.rejects(requests.ask('hasty', { timeout: 20 }), { code: 'ETIMEDOUT' });
  await kept.reply('done');
  assert.equal(String(await patient), 'done');
  requests.socket.recvTimeout = 20;
  await assert.rejects(requests.ask('as the socket says'), { code: 'ETIMEDOUT' });
});

sides('a signal makes it forget', async (requests, replies) => {
  const controller = new AbortController();
  const asking = requests.ask('one', { signal: controller.signal });
  const late = await replies.recv();
  controller.abort(new Error('no longer'));
  await assert.rejects(asking, { message: 'no longer' });
  await assert.rejects(requests.ask('one', { signal: controller.signal }), { message: 'no longer' });
  const other = requests.ask('two');
  const request = await replies.recv();
  await late.reply('to one');
  await request.reply('to two');
  assert.equal(String(await other), 'to two');
});

sides(
  'what has no reply is sent again',
  async (requests, replies) => {
    const asking = requests.ask('hello?');
    const [first, second, third] = [await replies.recv(), await replies.recv(), await replies.recv()];
    assert.deepEqual([first.body, first.header], [second.body, second.header]);
    assert.deepEqual([first.body, first.header], [third.body, third.header]);
    await second.reply('yes');
    assert.equal(String(await asking), 'yes');
  },
  { resendInterval: 20 },
);

sides('closing ends those who wait', async (requests, replies) => {
  const asking = ['0', '1', '2'].map((body) => requests.ask(body));
  for (const _ of asking) await replies.recv();
  const ended = asking.map((asked) => assert.rejects(asked, { code: 'EBADF' }));
  await requests.close();
  await Promise.all(ended);
  await assert.rejects(requests.ask('more'), { code: 'EBADF' });
});

sides('a request is answered once', async (requests, replies) => {
  const asking = requests.ask('');
  const request = await replies.recv();
  assert.deepEqual([request.body.length, request.header.length], [0, 8]);
  await assert.rejects(request.reply(5), TypeError);
  await request.reply('');
  await assert.rejects(request.reply(''), { code: 'EFSM' });
  assert.equal((await asking).length, 0);
});

test('a request waits for a peer', limit, async () => {
  const requests = new Requests('inproc://requests-peer', { resendInterval: 20 });
  await assert.rejects(requests.ask('anybody?', { timeout: 20 }), { code: 'ETIMEDOUT' });
  const asking = requests.ask('anybody?', { timeout });
  const unasked = assert.rejects(requests.ask('x', { signal: AbortSignal.timeout(1) }), { name: 'TimeoutError' });
  await unasked;
  let replies = new Replies('inproc://requests-peer');
  await replies.recv();
  // It has been tried while nobody was there before the next one comes.
  const { socket } = requests;
  const tried = new Promise((resolve) => {
    socket.trySend = (...sent) => {
      try {
        Socket.prototype.trySend.apply(socket, sent);
      } catch (error) {
        resolve();
        throw error;
      }
    };
  });
  await replies.close();
  await tried;
  replies = new Replies('inproc://requests-peer');
  await (await replies.recv()).reply('yes');
  assert.equal(String(await asking), 'yes');
  await Promise.all([requests.close(), replies.close()]);
  const lonely = new Requests('inproc://requests-nobody');
  const ended = assert.rejects(lonely.ask('anybody?'), { code: 'EBADF' });
  await lonely.close();
  await ended;
});

test('only raw sockets will do', limit, async () => {
  const [cooked, rep] = [new Socket('req'), new Socket('rep', { raw: true })];
  assert.throws(() => new Requests(cooked), { code: 'EINVAL' });
  assert.throws(() => new Requests(rep), { code: 'EINVAL' });
  assert.throws(() => new Replies(cooked), { code: 'EINVAL' });
  assert.throws(() => new Requests('nowhere'), { code: 'EINVAL' });
  assert.throws(() => new Requests([], { resendInterval: 0 }), { code: 'EINVAL' });
  await Promise.all([cooked.close(), rep.close()]);
});

test('what a hostile replier says is nobody\'s', limit, async () => {
  const frame = (...parts) => {
    const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
    const size = Buffer.alloc(8);
    size.writeBigUInt64BE(BigInt(body.length));
    return Buffer.concat([size, body]);
  };
  const server = net.createServer((stream) => {
    stream.write(Buffer.from([0, 83, 80, 0, 0, 49, 0, 0]));
    let got = Buffer.alloc(0);
    stream.on('data', (data) => {
      got = Buffer.concat([got, data]);
      if (got.length !== 8 + 13) return;
      const id = got.subarray(16, 20);
      const other = Buffer.from(id);
      other[3] ^= 1;
      const bare = Buffer.from(id);
      bare[0] &= 0x7f;
      for (const parts of [[], [id.subarray(0, 3)], [other, 'no'], [bare, id, 'no'], [id, 'yes'], [id, 'no']]) {
        stream.write(frame(...parts));
      }
    });
    stream.on('error', () => {});
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const requests = new Requests(`tcp://127.0.0.1:${server.address().port}`);
  assert.equal(String(await requests.ask('?', { timeout })), 'yes');
  await requests.close();
  server.close();
});

test('a process ends when nobody waits any more', limit, async () => {
  const program = `
    const { Requests, Replies } = require(${JSON.stringify(path.join(__dirname, '..'))});
    const [replies, requests] = [new Replies('inproc://end'), new Requests('inproc://end')];
    requests.ask('1', { timeout: 20 }).catch((error) => console.log(error.code));
    requests.ask('2', { timeout: 60_000 }).then((reply) => console.log(String(reply)));
    replies.recv().then(() => replies.recv()).then((request) => request.reply('done'));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program], { timeout: 10_000 });
  assert.deepEqual(stdout.split('\n').sort(), ['', 'ETIMEDOUT', 'done']);
});

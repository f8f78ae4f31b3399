'use strict';
// npm's nanomsg: its patterns over the transports, topics, options.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const nano = require('nanomsg');

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'nanomsg-'));
let count = 0;

async function address(transport) {
  count += 1;
  if (transport === 'inproc') return `inproc://try-${count}`;
  if (transport === 'ipc') return `ipc://${dir}/${count}`;
  const probe = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return `${transport}://127.0.0.1:${port}`;
}

/** One message there, and one back where the pattern has answers. */
async function exchange(transport, askerType, answererType, answers) {
  const [asker, answerer] = [nano.socket(askerType), nano.socket(answererType)];
  if (answererType === 'sub') answerer.chan(['there']);
  const place = await address(transport);
  answerer.bind(place);
  asker.connect(place);
  // Some patterns drop what is sent before there is a connection: it is sent until it arrives.
  const sending = setInterval(() => asker.send('there'), 20);
  const there = await new Promise((resolve) => answerer.once('data', resolve));
  clearInterval(sending);
  assert.equal(String(there), 'there');
  if (answers) {
    const back = new Promise((resolve) => asker.once('data', resolve));
    answerer.send('back');
    assert.equal(String(await back), 'back');
  }
  asker.close();
  answerer.close();
}

async function main() {
  for (const transport of ['inproc', 'ipc', 'tcp', 'ws']) {
    await exchange(transport, 'pair', 'pair', true);
    await exchange(transport, 'req', 'rep', true);
    await exchange(transport, 'push', 'pull', false);
    await exchange(transport, 'surveyor', 'respondent', true);
    await exchange(transport, 'bus', 'bus', true);
    await exchange(transport, 'pub', 'sub', false);
  }
  const socket = nano.socket('pair');
  assert.equal(socket.rcvtimeo(123), true);
  assert.equal(socket.rcvtimeo(), 123);
  socket.close();

  const maps = fs.readFileSync('/proc/self/maps', 'utf8');
  const loaded = maps.match(/\S*libnanomsg\.so\S*/g) ?? [];
  const prefix = fs.realpathSync(process.env.NANOMSG_PREFIX);
  assert.ok(loaded.length > 0 && loaded.every((file) => file.startsWith(`${prefix}/`)), String(loaded));
}

const limit = setTimeout(() => {
  console.error('not in 60 s');
  process.exit(1);
}, 60_000);

main().then(
  () => {
    clearTimeout(limit);
    fs.rmSync(dir, { recursive: true });
    console.log('nanomsg of npm: ok');
    process.exit(0);
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);

'use strict';
// The scenarios of bindings/scenarios.txt, which every language runs.

const assert = require('node:assert/strict');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { test, after } = require('node:test');

const koffi = require('koffi');

const { Monitor, Replies, Requests, Socket, constants, device, poll } = require('..');

const PATIENCE = 10_000;
const overTls = ['tls+tcp', 'wss'];
const overTcp = ['tcp', 'ws', ...overTls];
const everywhere = ['inproc', 'unix', 'ipc', 'abstract', ...overTcp];
const here = ['inproc'];
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'nanomsg-'));
after(() => fs.rmSync(dir, { recursive: true }));
const openssl = spawnSync('openssl', ['version']).error === undefined;
assert.ok(openssl || process.env.CI !== 'true', 'openssl is not installed');
if (openssl) execFileSync('sh', [path.join(__dirname, '..', '..', '..', 'tests', 'pki.sh'), dir]);
const pem = (name) => path.join(dir, name);

let count = 0;
const listed = new Set(
  fs
    .readFileSync(path.join(__dirname, '..', '..', 'scenarios.txt'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split('  ')[0]),
);
const own = new Set();

async function newAddress(transport) {
  count += 1;
  if (transport === 'inproc') return `inproc://scenario-${count}`;
  if (transport === 'unix' || transport === 'ipc') return `${transport}://${dir}/${count}`;
  if (transport === 'abstract') return `abstract://scenario-${process.pid}-${count}`;
  const probe = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return `${transport}://127.0.0.1:${port}`;
}

async function connections(socket, expected) {
  const deadline = Date.now() + PATIENCE;
  while (socket.statistic(constants.NN_STAT_CURRENT_CONNECTIONS) !== expected) {
    assert.ok(Date.now() < deadline, `${socket.type} has not got ${expected} connections`);
    await new Promise(setImmediate);
  }
}

/** Makes a socket trust the tests' authority, and gives it a certificate of its own. */
function secure(socket) {
  socket.tlsCa = pem('ca.pem');
  socket.tlsCert = pem('both.pem');
}

/** A scenario, over each of the transports; its sockets are closed after it. */
function scenario(name, transports, run) {
  const signs = new Map([[everywhere, ' *'], [overTls, ' +'], [here, '']]);
  own.add(name + signs.get(transports));
  for (const transport of transports) {
    const skip = overTls.includes(transport) && !openssl && 'openssl is not installed';
    test(`${name} ${transport}`, { timeout: 2 * PATIENCE, skip }, async () => {
      const opened = [];
      const open = (type, options) => {
        const socket = new Socket(type, options);
        opened.push(socket);
        socket.sendTimeout = socket.recvTimeout = PATIENCE;
        if (overTls.includes(transport)) secure(socket);
        return socket;
      };
      const star = async (hubType, ...leafTypes) => {
        const address = await newAddress(transport);
        const [hub, leaves] = [open(hubType), leafTypes.map((type) => open(type))];
        hub.bind(address);
        for (const leaf of leaves) {
          leaf.connect(address);
          await connections(leaf, 1);
        }
        await connections(hub, leaves.length);
        return [hub, ...leaves];
      };
      try {
        await run({ open, star, address: () => newAddress(transport), transport });
      } finally {
        await Promise.all(opened.map((socket) => socket.close()));
      }
    });
  }
}

const text = async (promise) => (await promise).toString();
const code = (expected) => (error) => {
  assert.equal(error.code, expected);
  assert.equal(error.errno, constants[expected]);
  return true;
};

scenario('pair_talks_both_ways', everywhere, async ({ star }) => {
  const [a, b] = await star('pair', 'pair');
  await b.send(Buffer.from('there\0and'));
  assert.equal(await text(a.recv()), 'there\0and');
  await a.send('back');
  assert.equal(await text(b.recv()), 'back');
});

scenario('an_empty_message_arrives', everywhere, async ({ star }) => {
  const [a, b] = await star('pair', 'pair');
  await b.send('');
  await b.send('after');
  assert.deepEqual([await text(a.recv()), await text(a.recv())], ['', 'after']);
});

scenario('a_large_message_arrives_whole', everywhere, async ({ star }) => {
  const large = Buffer.alloc(2 << 20);
  for (let at = 0; at < large.length; at++) large[at] = at % 251;
  const [a, b] = await star('pair', 'pair');
  a.recvMaxSize = -1;
  const [received] = await Promise.all([a.recv(), b.send(large)]);
  assert.ok(received.equals(large));
});

scenario('pubsub_filters_by_topic', everywhere, async ({ star }) => {
  const [pub, weather, all] = await star('pub', 'sub', 'sub');
  weather.subscribe('weather');
  all.subscribe('');
  for (const message of ['sports: 1:0', 'weather: rain']) {
    await publish(pub, all, message);
  }
  assert.equal(await text(weather.recv()), 'weather: rain');
});

scenario('subscriptions_travel_unless_told_not_to', everywhere, async ({ open, address }) => {
  for (const atHome of ['nobody', 'pub', 'sub']) {
    const [place, pub, sub] = [await address(), open('pub'), open('sub')];
    for (const socket of [pub, sub]) {
      assert.equal(socket.forwardSubscriptions, 1);
      socket.forwardSubscriptions = Number(socket.type !== atHome);
      assert.equal(socket.forwardSubscriptions, Number(socket.type !== atHome));
    }
    pub.bind(place);
    sub.subscribe('a');
    sub.connect(place);
    for (let round = 0; round < 50; round++) {
      await pub.send('b');
      await publish(pub, sub, 'a');
    }
    assert.equal(pub.statistic(constants.NN_STAT_MESSAGES_FILTERED) > 0, atHome === 'nobody');
  }
});

// What was just subscribed to may still be on its way to the publisher: the message is sent until it arrives.
async function publish(pub, sub, message) {
  const patience = sub.recvTimeout;
  sub.recvTimeout = 50;
  for (let tries = 0; ; tries++) {
    await pub.send(message);
    try {
      assert.equal(await text(sub.recv()), message);
      break;
    } catch (error) {
      if (error.code !== 'ETIMEDOUT' || tries > 200) throw error;
    }
  }
  sub.recvTimeout = patience;
}

scenario('reqrep_answers_whoever_asked', everywhere, async ({ star }) => {
  const [server, ...clients] = await star('rep', 'req', 'req');
  for (const [number, client] of clients.entries()) await client.send(String(number));
  for (const _ of clients) await server.send(`to ${await text(server.recv())}`);
  assert.deepEqual(await Promise.all(clients.map((client) => text(client.recv()))), ['to 0', 'to 1']);
});

scenario('pipeline_gives_each_message_to_one', everywhere, async ({ star }) => {
  const [push, ...pulls] = await star('push', 'pull', 'pull');
  await push.send('one');
  await push.send('two');
  const got = await Promise.all(pulls.map((pull) => text(pull.recv())));
  assert.deepEqual(got.sort(), ['one', 'two']);
});

scenario('survey_collects_answers_and_ends', everywhere, async ({ star }) => {
  const [surveyor, ...respondents] = await star('surveyor', 'respondent', 'respondent');
  surveyor.surveyDeadline = 1000;
  await surveyor.send('who is there?');
  for (const [number, respondent] of respondents.entries()) {
    assert.equal(await text(respondent.recv()), 'who is there?');
    await respondent.send(String(number));
  }
  const answers = [await text(surveyor.recv()), await text(surveyor.recv())];
  assert.deepEqual(answers.sort(), ['0', '1']);
  await assert.rejects(surveyor.recv(), code('ETIMEDOUT'));
});

scenario('bus_reaches_all_but_the_sender', everywhere, async ({ star }) => {
  const [hub, ...leaves] = await star('bus', 'bus', 'bus');
  await hub.send('to all');
  for (const leaf of leaves) assert.equal(await text(leaf.recv()), 'to all');
  await leaves[0].send('to the hub');
  assert.equal(await text(hub.recv()), 'to the hub');
  for (const socket of [hub, leaves[0]]) assert.throws(() => socket.tryRecv(), code('EAGAIN'));
});

scenario('dont_wait_is_its_own_error', here, async ({ open }) => {
  assert.throws(() => open('pair').tryRecv(), code('EAGAIN'));
});

scenario('time_out_is_its_own_error', here, async ({ open }) => {
  const socket = open('pair');
  socket.recvTimeout = 10;
  await assert.rejects(socket.recv(), code('ETIMEDOUT'));
});

scenario('wrong_state_is_its_own_error', here, async ({ open }) => {
  await assert.rejects(open('rep').send('unasked'), code('EFSM'));
});

scenario('not_supported_is_its_own_error', here, async ({ open }) => {
  await assert.rejects(open('sub').send('x'), code('ENOTSUP'));
});

scenario('address_in_use_is_its_own_error', here, async ({ open, address }) => {
  const [first, second, place] = [open('pair'), open('pair'), await address()];
  first.bind(place);
  assert.throws(() => second.bind(place), code('EADDRINUSE'));
});

scenario('a_closed_socket_is_its_own_error', here, async ({ open }) => {
  const socket = open('pair');
  await socket.close();
  const other = open('pair'); // has the closed one's number
  assert.throws(() => socket.tryRecv(), code('EBADF'));
  await assert.rejects(socket.send('x'), code('EBADF'));
  assert.throws(() => other.tryRecv(), code('EAGAIN'));
});

scenario('closing_ends_a_waiting_receive', here, async ({ open }) => {
  const socket = open('pair');
  const waiting = assert.rejects(socket.recv(), code('EBADF'));
  await socket.close();
  await waiting;
});

scenario('options_are_read_back', here, async ({ open }) => {
  const socket = open('pair');
  const values = {
    sendTimeout: -1,
    recvBuffer: 1 << 20,
    sendPriority: 3,
    name: 'a name',
    tcpNodelay: 1,
    connectTimeout: 700,
    tcpKeepaliveIdle: 60_000,
    tcpKeepaliveInterval: 5_000,
    tcpKeepaliveCount: 3,
    tcpUserTimeout: 30_000,
    ipcMode: 0o660,
    recvPeer: 1,
    wsPing: 20_000,
    tlsVerify: 1,
    tlsName: 'localhost',
    tlsMinVersion: 13,
    conflate: 1,
    conflatePrefix: 4,
  };
  for (const [name, value] of Object.entries(values)) {
    socket[name] = value;
    assert.equal(socket[name], value);
  }
  assert.throws(() => (socket.sendPriority = 17), code('EINVAL'));
  assert.throws(() => (socket.tlsCert = '-----BEGIN nothing'), code('EINVAL'));
  assert.throws(() => socket.tlsKey, code('EACCES'));
  assert.throws(() => (socket.resendInterval = 1), code('ENOPROTOOPT'));
  assert.throws(() => (socket.overflow = 1), code('ENOPROTOOPT'));
  const pub = open('pub');
  pub.overflow = constants.NN_OVERFLOW_DROP_OLD;
  assert.equal(pub.overflow, constants.NN_OVERFLOW_DROP_OLD);
});

scenario('poll_tells_who_is_ready', here, async ({ star }) => {
  const [a, b] = await star('pair', 'pair');
  const both = [
    { socket: a, recv: true },
    { socket: b, recv: true },
  ];
  const polled = poll(both, PATIENCE);
  await b.send('hello');
  assert.deepEqual(await polled, [{ socket: a, recv: true, send: false }]);
  a.tryRecv();
  assert.deepEqual(await poll(both, 0), []);
});

scenario('a_device_forwards', everywhere, async ({ open, address }) => {
  const [front, back] = [open('pull', { raw: true }), open('push', { raw: true })];
  const [push, pull] = [open('push'), open('pull')];
  for (const [outer, inner] of [
    [push, front],
    [pull, back],
  ]) {
    const place = await address();
    inner.bind(place);
    outer.connect(place);
  }
  const forwarding = assert.rejects(device(front, back), code('EBADF'));
  await push.send('through both');
  assert.equal(await text(pull.recv()), 'through both');
  await Promise.all([front.close(), back.close()]);
  await forwarding;
});

scenario('statistics_count_messages', here, async ({ star }) => {
  const [a, b] = await star('pair', 'pair');
  await b.send('hello');
  await b.send('you');
  await a.recv();
  await a.recv();
  const [sent, received] = [b.statistics(), a.statistics()];
  assert.deepEqual([sent.MESSAGES_SENT, sent.BYTES_SENT], [2, 8]);
  assert.deepEqual([received.MESSAGES_RECEIVED, received.BYTES_RECEIVED], [2, 8]);
});

scenario('a_shut_down_endpoint_is_free_again', here, async ({ open, address }) => {
  const [first, second, place] = [open('pair'), open('pair'), await address()];
  const endpoint = first.bind(place);
  first.shutdown(endpoint);
  second.bind(place);
  assert.throws(() => first.shutdown(endpoint), code('EINVAL'));
});

scenario('an_endpoint_tells_its_address', everywhere, async ({ open, address, transport }) => {
  const [bound, connected, place] = [open('pair'), open('pair'), await address()];
  assert.equal(bound.endpointAddress(bound.bind(place)), place);
  assert.equal(connected.endpointAddress(connected.connect(place)), place);
  if (!overTcp.includes(transport)) return;
  const [other, peer] = [open('pair'), open('pair')];
  const chosen = other.endpointAddress(other.bind(`${transport}://127.0.0.1:0`));
  assert.match(chosen, new RegExp(`^${transport.replace('+', '\\+')}://127\\.0\\.0\\.1:[1-9]\\d*$`));
  peer.connect(chosen);
  await peer.send('hello');
  assert.equal((await other.recv()).toString(), 'hello');
});

scenario('a_descriptor_becomes_an_endpoint', here, async ({ open }) => {
  // Node makes no socketpairs.
  const socketpair = koffi.load('libc.so.6').func('int socketpair(int, int, int, _Out_ int *)');
  const [AF_UNIX, SOCK_STREAM, ends] = [1, 1, [0, 0]];
  assert.equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const [one, other] = ends.map((end) => `fd://${end}`);
  const [a, b] = [open('pair'), open('pair')];
  a.bind(one);
  b.connect(other);
  await b.send('there');
  assert.equal(await text(a.recv()), 'there');
  await a.send('and back');
  assert.equal(await text(b.recv()), 'and back');
  assert.throws(() => open('pair').bind(one), code('EADDRINUSE'));
});

scenario('a_request_to_nobody_fails_if_told_to', here, async ({ open, address }) => {
  const [req, rep, place] = [open('req'), open('rep'), await address()];
  req.failFast = 1;
  req.bind(place);
  assert.throws(() => req.trySend('anybody?'), code('EAGAIN'));
  rep.connect(place);
  await connections(req, 1);
  await req.send('anybody?');
  assert.equal((await rep.recv()).toString(), 'anybody?');
});

scenario('a_monitor_tells_who_comes_and_goes', everywhere, async ({ open, address }) => {
  const [hub, leaf, place] = [open('pull'), open('push'), await address()];
  hub.name = 'hub';
  assert.equal(hub.monitor, '');
  const monitor = new Monitor(hub);
  try {
    assert.equal(hub.monitor, monitor.address);
    await assert.rejects(monitor.recv(1), code('ETIMEDOUT'));
    const seen = [];
    const until = async (name) => {
      while (seen.at(-1)?.event !== name) seen.push(await monitor.recv(PATIENCE));
      return seen.at(-1);
    };
    const endpoint = hub.bind(place);
    leaf.connect(place);
    const connected = await until('connected');
    // Both ends know it now.
    await connections(leaf, 1);
    await leaf.close();
    const disconnected = await until('disconnected');
    hub.shutdown(endpoint);
    await until('closed');
    await hub.close();
    for await (const event of monitor) seen.push(event);
    const told = seen.map(({ event }) => event).filter((name) => name !== 'accepted');
    assert.deepEqual(told, ['listening', 'connected', 'disconnected', 'closed', 'monitor_stopped']);
    for (const [index, event] of seen.entries()) {
      assert.deepEqual([event.seq, event.socket, event.type], [index + 1, 'hub', 'pull']);
      if (event !== seen.at(-1)) assert.deepEqual(event.endpoint, { id: endpoint, address: place, kind: 'bind' });
    }
    assert.equal(connected.peer.type, 'push');
    assert.deepEqual([disconnected.peer, disconnected.reason], [connected.peer, 'closed']);
  } finally {
    await monitor.close();
  }
});

scenario('statistics_are_one_document', here, async ({ open, address }) => {
  const [a, b, place] = [open('pair'), open('pair'), await address()];
  const endpoint = a.bind(place);
  b.connect(place);
  await connections(a, 1);
  await b.send('hello');
  await b.send('you');
  await a.recv();
  await a.recv();
  const report = a.report();
  assert.deepEqual([report.type, report.raw], ['pair', false]);
  assert.deepEqual([report.counters.messages_received, report.counters.bytes_received], [2, 8]);
  const endpoints = [{ id: endpoint, address: place, kind: 'bind', connections: 1, connected: 1, failed: 0 }];
  assert.deepEqual(report.endpoints, endpoints);
  assert.equal(report.connections.length, 1);
  const [connection] = report.connections;
  assert.deepEqual([connection.endpoint, connection.peer.type], [endpoint, 'pair']);
  assert.deepEqual([connection.messages_received, connection.bytes_received, connection.messages_sent], [2, 8, 0]);
});

scenario('a_message_tells_its_peer', everywhere, async ({ star, transport }) => {
  const [hub, ...leaves] = await star('pull', 'push', 'push');
  const peers = async () => {
    for (const [number, leaf] of leaves.entries()) await leaf.send(String(number));
    const found = [];
    for (const _ of leaves) {
      const message = await hub.recvMessage();
      found[Number(message.toBuffer())] = message.peer;
    }
    return found;
  };
  assert.deepEqual(await peers(), [null, null]);
  hub.recvPeer = 1;
  const found = await peers();
  assert.deepEqual(await peers(), found);
  assert.notEqual(found[0].pipe, found[1].pipe);
  for (const peer of found) {
    assert.equal(peer.type, 'push');
    if (overTcp.includes(transport)) {
      for (const place of [peer.address, peer.local]) assert.match(place, /^127\.0\.0\.1:[1-9]\d*$/);
    } else if (transport !== 'inproc') {
      assert.deepEqual([peer.pid, peer.uid, peer.gid], [process.pid, process.getuid(), process.getgid()]);
    }
  }
});

scenario('a_certificate_tells_who_the_peer_is', overTls, async ({ open, address }) => {
  const [hub, leaf, place] = [open('pull'), open('push'), await address()];
  hub.tlsVerify = 2;
  hub.recvPeer = 1;
  leaf.tlsCert = pem('client.pem');
  leaf.tlsKey = pem('client.key');
  hub.bind(place);
  leaf.connect(place);
  await leaf.send('hello');
  const { certificate } = (await hub.recvMessage()).peer;
  assert.equal(certificate.subject, 'CN=client,O=nanomsg tests');
  assert.match(certificate.sha256, /^[0-9a-f]{64}$/);
});

scenario('a_wrong_certificate_is_refused', overTls, async ({ open, address }) => {
  const [a, b, place] = [open('pair'), open('pair'), await address()];
  a.bind(place);
  b.tlsCa = pem('other-ca.pem');
  const monitor = new Monitor(b);
  const wrong = b.connect(place);
  try {
    let failed;
    do failed = await monitor.recv(PATIENCE);
    while (failed.event !== 'handshake_failed');
    assert.deepEqual([failed.reason, failed.errno], ['tls', constants.NN_ETLS_UNKNOWN_CA]);
    assert.equal(failed.endpoint.id, wrong);
  } finally {
    await monitor.close();
  }
  b.shutdown(wrong);
  b.tlsCa = pem('ca.pem');
  b.connect(place);
  await b.send('hello');
  assert.equal(await text(a.recv()), 'hello');
});

scenario('only_the_newest_is_received_if_told_to', here, async ({ open, address }) => {
  for (const [prefix, newest] of [
    [0, ['b99']],
    [1, ['a99', 'b99']],
  ]) {
    const [push, pull, place] = [open('push'), open('pull'), await address()];
    pull.conflate = 1;
    pull.conflatePrefix = prefix;
    pull.bind(place);
    push.connect(place);
    await connections(push, 1);
    for (let number = 0; number < 100; number++) {
      for (const topic of ['a', 'b']) await push.send(topic + number);
    }
    const received = [];
    for (const _ of newest) received.push(await text(pull.recv()));
    assert.deepEqual(received.sort(), newest);
    assert.throws(() => pull.tryRecv(), code('EAGAIN'));
    assert.equal(pull.statistic(constants.NN_STAT_MESSAGES_CONFLATED), 200 - newest.length);
  }
});

scenario('a_publisher_waits_if_told_to', here, async ({ open, address }) => {
  const [pub, sub, place] = [open('pub'), open('sub'), await address()];
  pub.overflow = constants.NN_OVERFLOW_WAIT;
  pub.sendBuffer = sub.recvBuffer = 1000;
  sub.subscribe('');
  pub.bind(place);
  sub.connect(place);
  await publish(pub, sub, 'first');
  const all = Array.from({ length: 1000 }, (_, number) => String(number).padStart(100));
  const send = async () => {
    for (const message of all) await pub.send(message);
  };
  const receive = async () => {
    const received = [];
    while (received.length < all.length) {
      const message = await text(sub.recv());
      // It may have been sent more than once until it arrived.
      if (message !== 'first') received.push(message);
    }
    return received;
  };
  const [received] = await Promise.all([receive(), send()]);
  assert.deepEqual(received, all);
  assert.equal(pub.statistic(constants.NN_STAT_MESSAGES_OVERFLOWED), 0);
});

scenario('a_received_message_is_sent_on', here, async ({ star }) => {
  const [a, b] = await star('pair', 'pair');
  const [c, d] = await star('pair', 'pair');
  await b.send(Buffer.alloc(100_000, 7));
  const message = await a.recvMessage();
  const place = message.address;
  await c.send(message);
  assert.equal(message.length, 0);
  const received = await d.recvMessage();
  assert.equal(received.address, place);
  assert.ok(received.toBuffer().equals(Buffer.alloc(100_000, 7)));
});

scenario('several_requests_are_answered_in_any_order', everywhere, async ({ open, address }) => {
  const [server, client, place] = [open('rep', { raw: true }), open('req', { raw: true }), await address()];
  server.bind(place);
  client.connect(place);
  const [requests, replies] = [new Requests(client), new Replies(server)];
  const asking = ['0', '1', '2'].map((body) => text(requests.ask(body)));
  const received = [];
  for (const _ of asking) received.push(await replies.recv());
  received.sort((one, other) => one.body.compare(other.body));
  assert.deepEqual(received.map(({ body }) => body.toString()), ['0', '1', '2']);
  for (const request of received.reverse()) await request.reply(`to ${request.body}`);
  assert.deepEqual(await Promise.all(asking), ['to 0', 'to 1', 'to 2']);
});

scenario('a_request_ends_at_its_time_limit', here, async ({ address }) => {
  const place = await address();
  const [replies, requests] = [new Replies(place), new Requests(place)];
  await assert.rejects(requests.ask('one', { timeout: 20 }), code('ETIMEDOUT'));
  const late = await replies.recv();
  const asking = text(requests.ask('two', { timeout: PATIENCE }));
  const request = await replies.recv();
  await late.reply('to one');
  await request.reply('to two');
  assert.deepEqual([late.body, request.body].map(String), ['one', 'two']);
  assert.equal(await asking, 'to two');
  await Promise.all([replies.close(), requests.close()]);
});

scenario('a_raw_replier_answers_in_any_order', here, async ({ open, address }) => {
  const [clients, place] = [[open('req'), open('req')], await address()];
  const replies = new Replies(place);
  const received = [];
  for (const [number, client] of clients.entries()) {
    client.connect(place);
    await client.send(String(number));
    received.push(await replies.recv());
  }
  for (const request of received.reverse()) await request.reply(`to ${request.body}`);
  assert.deepEqual(await Promise.all(clients.map((client) => text(client.recv()))), ['to 0', 'to 1']);
  await replies.close();
});

test('every_scenario_of_the_list_is_here', () => {
  assert.deepEqual([...own].sort(), [...listed].sort());
});

test('unix and ipc are two names of one transport', async () => {
  assert.equal(constants.NN_UNIX, constants.NN_IPC);
  const path = `${dir}/both-names`;
  const [a, b] = [new Socket('pair'), new Socket('pair')];
  a.bind(`unix://${path}`);
  b.connect(`ipc://${path}`);
  b.send('Hello');
  assert.equal(String(await a.recv()), 'Hello');
  await Promise.all([a.close(), b.close()]);
  const c = new Socket('pair');
  for (const [address, code] of [['unix://', 'EINVAL'], ['winpipe://x', 'EPROTONOSUPPORT']]) {
    assert.throws(() => c.bind(address), { errno: constants[code] });
  }
  await c.close();
});

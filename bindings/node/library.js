'use strict';
// Finding the shared library, its functions, its constants, and its errors.

const fs = require('node:fs');
const path = require('node:path');
const koffi = require('koffi');

/** The length that asks the library to use a message of its own. */
const NN_MSG = 2n ** 64n - 1n;

/** What the package carries for this system, if it does: `prebuilt/linux-x64/libnanomsg.so.6`; with musl `prebuilt/linux-x64-musl/`. */
function* carried() {
  const { platform, arch } = process;
  const musl = platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime;
  const folder = path.join(__dirname, 'prebuilt', `${platform}-${arch}${musl ? '-musl' : ''}`);
  const names = { darwin: 'libnanomsg.6.dylib', win32: 'nanomsg.dll' };
  const file = path.join(folder, names[platform] ?? 'libnanomsg.so.6');
  if (fs.existsSync(file)) yield file;
}

/** NANOMSG_LIBRARY is an order, not a hint: when it is set nothing else is considered. */
function* candidates() {
  if (process.env.NANOMSG_LIBRARY) {
    yield process.env.NANOMSG_LIBRARY;
    return;
  }
  yield* carried();
  const built = path.join(__dirname, '..', '..', 'target', 'lib', 'libnanomsg.so.6');
  if (fs.existsSync(built)) yield built;
  yield* ['libnanomsg.so.6', 'libnanomsg.so.5', 'libnanomsg.6.dylib', 'libnanomsg.dylib'];
}

function load() {
  let failure;
  for (const candidate of candidates()) {
    try {
      return { file: candidate, library: koffi.load(candidate) };
    } catch (error) {
      failure ??= error;
    }
  }
  throw new Error(`no nanomsg library found; set NANOMSG_LIBRARY to its path (${failure.message})`);
}

const { file, library } = load();

koffi.struct('nn_iovec', { iov_base: 'void *', iov_len: 'size_t' });
koffi.struct('nn_msghdr', {
  msg_iov: 'nn_iovec *',
  msg_iovlen: 'int',
  msg_control: 'void *',
  msg_controllen: 'size_t',
});

const nn = {
  socket: library.func('int nn_socket(int domain, int protocol)'),
  close: library.func('int nn_close(int s)'),
  bind: library.func('int nn_bind(int s, const char *address)'),
  connect: library.func('int nn_connect(int s, const char *address)'),
  shutdown: library.func('int nn_shutdown(int s, int how)'),
  send: library.func('int nn_send(int s, const void *buf, size_t len, int flags)'),
  recv: library.func('int nn_recv(int s, _Out_ void **buf, size_t len, int flags)'),
  sendmsg: library.func('int nn_sendmsg(int s, const nn_msghdr *message, int flags)'),
  recvmsg: library.func('int nn_recvmsg(int s, const nn_msghdr *message, int flags)'),
  allocmsg: library.func('void *nn_allocmsg(size_t size, int type)'),
  freemsg: library.func('int nn_freemsg(void *msg)'),
  setsockopt: library.func('int nn_setsockopt(int s, int level, int option, const void *value, size_t len)'),
  getsockopt: library.func('int nn_getsockopt(int s, int level, int option, void *value, _Inout_ size_t *len)'),
  poll: library.func('int nn_poll(void *fds, int count, int timeout)'),
  device: library.func('int nn_device(int s1, int s2)'),
  statistic: library.func('int64_t nn_get_statistic(int s, int which)'),
  strerror: library.func('const char *nn_strerror(int number)'),
  symbol: library.func('const char *nn_symbol(int index, _Out_ int *value)'),
};

/** Every constant of the C headers, with the value the library gives it. */
const constants = {};
for (let index = 0, value = [0]; ; index++) {
  const name = nn.symbol(index, value);
  if (name === null) break;
  constants[name] = value[0];
}
Object.freeze(constants);

const names = new Map();
for (const [name, value] of Object.entries(constants)) if (/^E[A-Z]/.test(name)) names.set(value, name);

/** A call failed: `code` is the name of the errno, `errno` its number. */
class NanomsgError extends Error {
  constructor(number, call, address) {
    const code = names.get(number) ?? `E${number}`;
    super(`${code}: ${nn.strerror(number)}, ${call}${address === undefined ? '' : ` '${address}'`}`);
    this.name = 'NanomsgError';
    this.code = code;
    this.errno = number;
    this.syscall = call;
    if (address !== undefined) this.address = address;
  }
}

/** What a function of the library returned, or its error thrown. */
function checked(call, result, address) {
  if (result === -1) throw new NanomsgError(koffi.errno(), call, address);
  return result;
}

/** The memory of what can be sent, as a Buffer. */
function bytesOf(data) {
  if (typeof data === 'string') return Buffer.from(data);
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer) return Buffer.from(data);
  throw new TypeError('a message is a string, a Buffer, another view of bytes, or a Message');
}

module.exports = { NN_MSG, NanomsgError, bytesOf, checked, constants, file, koffi, nn };

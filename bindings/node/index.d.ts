/// <reference types="node" />

export type SocketType =
  | 'pair' | 'pub' | 'sub' | 'req' | 'rep' | 'push' | 'pull' | 'surveyor' | 'respondent' | 'bus';

export type Bytes = string | NodeJS.ArrayBufferView | ArrayBuffer;

export class NanomsgError extends Error {
  code: string;
  errno: number;
  syscall: string;
  address?: string;
}

/** As docs/monitoring.schema.json has it, and so are the next ones. Members that are not known are absent. */
export interface Peer {
  pipe: number;
  type?: SocketType | 'unknown';
  address?: string;
  local?: string;
  pid?: number;
  uid?: number;
  gid?: number;
  certificate?: { subject: string; sha256: string };
}

export interface EndpointInfo {
  id?: number;
  address: string;
  kind: 'bind' | 'connect';
}

export interface MonitorEvent {
  event: string;
  seq: number;
  time_ns: number;
  monotonic_ns: number;
  socket: string;
  type: SocketType;
  endpoint?: EndpointInfo;
  peer?: Peer;
  errno?: number;
  error?: string;
  retry_ms?: number;
  reason?: string;
  violation?: string;
  dropped?: number;
}

export interface Report {
  socket: string;
  type: SocketType;
  raw: boolean;
  time_ns: number;
  monotonic_ns: number;
  counters: Record<string, number>;
  endpoints: (EndpointInfo & {
    id: number;
    connections: number;
    connected: number;
    failed: number;
    errno?: number;
    error?: string;
  })[];
  connections: {
    endpoint: number;
    peer: Peer;
    messages_sent: number;
    bytes_sent: number;
    messages_received: number;
    bytes_received: number;
    send_queue_bytes: number;
    recv_queue_bytes: number;
    rtt_us?: number;
  }[];
}

export class Message {
  private constructor();
  readonly length: number;
  readonly address: bigint;
  readonly header: Buffer;
  readonly peer: Peer | null;
  toBuffer(): Buffer;
}

export class Socket implements AsyncIterable<Buffer> {
  constructor(type: SocketType, options?: { raw?: boolean });
  readonly type: SocketType;
  readonly raw: boolean;
  readonly handle: number;
  bind(address: string): number;
  connect(address: string): number;
  endpointAddress(endpoint: number): string;
  shutdown(endpoint: number): void;
  send(data: Bytes | Message, options?: { header?: Uint8Array }): Promise<void>;
  recv(): Promise<Buffer>;
  recvMessage(): Promise<Message>;
  trySend(data: Bytes | Message, options?: { header?: Uint8Array }): void;
  tryRecv(): Buffer;
  tryRecvMessage(): Message;
  subscribe(topic: Bytes): void;
  unsubscribe(topic: Bytes): void;
  setOption(level: number, option: number, value: number | Uint8Array): void;
  getOption(level: number, option: number): number;
  getOption(level: number, option: number, size: number): Buffer;
  getText(level: number, option: number): string;
  statistic(which: number): number;
  statistics(): Record<string, number>;
  report(): Report;
  close(): Promise<void>;
  [Symbol.asyncIterator](): AsyncIterator<Buffer>;

  name: string;
  monitor: string;
  linger: number;
  sendBuffer: number;
  recvBuffer: number;
  recvMaxSize: number;
  sendTimeout: number;
  recvTimeout: number;
  reconnectInterval: number;
  reconnectIntervalMax: number;
  sendPriority: number;
  recvPriority: number;
  ipv4Only: number;
  maxTtl: number;
  conflate: number;
  conflatePrefix: number;
  overflow: number;
  sharedMemory: number;
  sharedMemoryMin: number;
  recvPeer: number;
  tcpNodelay: number;
  connectTimeout: number;
  tcpKeepaliveIdle: number;
  tcpKeepaliveInterval: number;
  tcpKeepaliveCount: number;
  tcpUserTimeout: number;
  ipcMode: number;
  wsPing: number;
  wsMessageType: number;
  get tlsCa(): string;
  set tlsCa(value: Bytes);
  get tlsCert(): string;
  set tlsCert(value: Bytes);
  /** Reading it is EACCES. */
  get tlsKey(): string;
  set tlsKey(value: Bytes);
  get tlsName(): string;
  set tlsName(value: Bytes);
  tlsVerify: number;
  tlsMinVersion: number;
  resendInterval: number;
  failFast: number;
  surveyDeadline: number;
  forwardSubscriptions: number;
}

export class Monitor implements AsyncIterable<MonitorEvent> {
  constructor(socket: Socket, address?: string);
  readonly address: string;
  recv(timeout?: number): Promise<MonitorEvent>;
  events(timeout?: number): AsyncIterableIterator<MonitorEvent>;
  close(): Promise<void>;
  [Symbol.asyncIterator](): AsyncIterator<MonitorEvent>;
}

export class Requests {
  constructor(where: Socket | string | string[], options?: { resendInterval?: number });
  readonly socket: Socket;
  ask(data: Bytes, options?: { timeout?: number; signal?: AbortSignal }): Promise<Buffer>;
  close(): Promise<void>;
}

export class Request {
  private constructor();
  readonly body: Buffer;
  readonly header: Buffer;
  reply(data: Bytes): Promise<void>;
}

export class Replies implements AsyncIterable<Request> {
  constructor(where: Socket | string | string[]);
  readonly socket: Socket;
  recv(): Promise<Request>;
  close(): Promise<void>;
  [Symbol.asyncIterator](): AsyncIterator<Request>;
}

export function poll(
  requests: { socket: Socket; recv?: boolean; send?: boolean }[],
  timeout?: number,
): Promise<{ socket: Socket; recv: boolean; send: boolean }[]>;

export function device(first: Socket, second?: Socket): Promise<never>;

export const constants: Readonly<Record<string, number>>;
export const libraryFile: string;

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

export class Message {
  private constructor();
  readonly length: number;
  readonly address: bigint;
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
  send(data: Bytes | Message): Promise<void>;
  recv(): Promise<Buffer>;
  recvMessage(): Promise<Message>;
  trySend(data: Bytes | Message): void;
  tryRecv(): Buffer;
  tryRecvMessage(): Message;
  subscribe(topic: Bytes): void;
  unsubscribe(topic: Bytes): void;
  setOption(level: number, option: number, value: number | Uint8Array): void;
  getOption(level: number, option: number): number;
  getOption(level: number, option: number, size: number): Buffer;
  statistic(which: number): number;
  statistics(): Record<string, number>;
  close(): Promise<void>;
  [Symbol.asyncIterator](): AsyncIterator<Buffer>;

  name: string;
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
  tcpNodelay: number;
  connectTimeout: number;
  tcpKeepaliveIdle: number;
  tcpKeepaliveInterval: number;
  tcpKeepaliveCount: number;
  tcpUserTimeout: number;
  ipcMode: number;
  wsMessageType: number;
  resendInterval: number;
  failFast: number;
  surveyDeadline: number;
  forwardSubscriptions: number;
}

export function poll(
  requests: { socket: Socket; recv?: boolean; send?: boolean }[],
  timeout?: number,
): Promise<{ socket: Socket; recv: boolean; send: boolean }[]>;

export function device(first: Socket, second?: Socket): Promise<never>;

export const constants: Readonly<Record<string, number>>;
export const libraryFile: string;

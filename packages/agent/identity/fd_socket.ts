const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x4000_0000;

const WAIT_SECONDS = 5;
const TOKEN_BYTES = 64;
const CONTROL_BYTES = 64;
const CONTROL_HEADER_BYTES = 16;
const MESSAGE_HEADER_BYTES = 56;

const symbols = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  accept: { parameters: ["i32", "usize", "usize"], result: "i32", nonblocking: true },
  recvmsg: { parameters: ["i32", "buffer", "i32"], result: "isize", nonblocking: true },
  close: { parameters: ["i32"], result: "i32" },
} as const;

/** A Unix socket that takes file descriptors, which Deno's own sockets cannot. */
export class FdSocket {
  readonly #library = Deno.dlopen("libc.so.6", symbols);
  readonly #fd: number;

  constructor(path: string) {
    const libc = this.#library.symbols;
    this.#fd = libc.socket(AF_UNIX, SOCK_STREAM_CLOEXEC, 0);
    const name = new TextEncoder().encode(path);
    const address = new Uint8Array(2 + 108);
    address[0] = AF_UNIX;
    address.set(name, 2);
    if (this.#fd < 0 || libc.bind(this.#fd, address, 2 + name.length + 1) !== 0) {
      throw new Error(`The socket ${path} could not be made`);
    }
    setTimeoutOption(libc.setsockopt, this.#fd);
    libc.listen(this.#fd, 16);
  }

  /** The next descriptors that are sent here, and the word sent with them. Waits for seconds. */
  async receive(): Promise<{ token: string; fds: number[] } | undefined> {
    const libc = this.#library.symbols;
    const connection = await libc.accept(this.#fd, 0n, 0n);
    if (connection < 0) return undefined;
    setTimeoutOption(libc.setsockopt, connection);
    // Small typed arrays without a buffer of their own may be moved about in memory.
    const data = new Uint8Array(new ArrayBuffer(TOKEN_BYTES));
    const control = new Uint8Array(new ArrayBuffer(CONTROL_BYTES));
    const vector = new BigUint64Array(new ArrayBuffer(16));
    vector.set([addressOf(data), BigInt(data.length)]);
    const header = new BigUint64Array(new ArrayBuffer(MESSAGE_HEADER_BYTES));
    header[2] = addressOf(vector);
    header[3] = 1n;
    header[4] = addressOf(control);
    header[5] = BigInt(control.length);
    const length = Number(await libc.recvmsg(connection, header, MSG_CMSG_CLOEXEC));
    libc.close(connection);
    if (length < 0) return undefined;
    const token = new TextDecoder().decode(data.subarray(0, length));
    const view = new DataView(control.buffer);
    const isRights = Number(header[5]) >= CONTROL_HEADER_BYTES &&
      view.getInt32(8, true) === SOL_SOCKET && view.getInt32(12, true) === SCM_RIGHTS;
    const fds: number[] = [];
    const end = isRights ? Number(view.getBigUint64(0, true)) : 0;
    for (let at = CONTROL_HEADER_BYTES; at + 4 <= end; at += 4) fds.push(view.getInt32(at, true));
    return { token, fds };
  }

  closeFds(fds: number[]): void {
    for (const fd of fds) this.#library.symbols.close(fd);
  }

  close(): void {
    this.#library.symbols.close(this.#fd);
  }
}

function addressOf(bytes: Uint8Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>): bigint {
  return BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
}

function setTimeoutOption(
  setsockopt: (
    fd: number,
    level: number,
    name: number,
    value: BufferSource,
    length: number,
  ) => number,
  fd: number,
): void {
  const time = new BigInt64Array([BigInt(WAIT_SECONDS), 0n]);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, time, time.byteLength);
}

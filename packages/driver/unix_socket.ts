import { Duplex } from "node:stream";
import { sleep } from "./sleep.ts";

const READ_BYTES = 64 * 1024;
const ACCEPT_AGAIN_MS = 50;

/**
 * A connection of Unix sockets as node's streams have it. node:net would do, but closes the descriptor of
 * each such connection twice (Deno 2.9): the second time may hit what another thread has opened since.
 */
export class UnixSocket extends Duplex {
  readonly #connection: Deno.UnixConn;

  constructor(connection: Deno.UnixConn) {
    super({ allowHalfOpen: false });
    this.#connection = connection;
  }

  static async connect(path: string): Promise<UnixSocket> {
    return new UnixSocket(await Deno.connect({ transport: "unix", path }));
  }

  // What node:http asks of every socket. None of it means anything between two programs of a host.
  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  ref(): this {
    this.#connection.ref();
    return this;
  }

  unref(): this {
    this.#connection.unref();
    return this;
  }

  override _read(): void {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    this.#connection.read(buffer).then(
      (count) => void this.push(count === null ? null : fitted(buffer, count)),
      (error) => void this.destroy(error),
    );
  }

  override _write(
    chunk: Uint8Array,
    _encoding: string,
    done: (error?: Error | null) => void,
  ): void {
    writeAll(this.#connection, chunk).then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#connection.closeWrite().then(() => done(), () => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#connection.close();
    done(error);
  }
}

async function writeAll(connection: Deno.UnixConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Little that was read keeps no large buffer. */
function fitted(buffer: Buffer, count: number): Buffer {
  return count < READ_BYTES / 2
    ? Buffer.from(buffer.subarray(0, count))
    : buffer.subarray(0, count);
}

/** Hands over every connection to a path until it is closed. */
export class UnixListener implements Disposable {
  readonly #listener: Deno.UnixListener;
  #closed = false;

  constructor(path: string, onConnection: (socket: UnixSocket) => void) {
    this.#listener = Deno.listen({ transport: "unix", path });
    void this.#accept(onConnection);
  }

  async #accept(onConnection: (socket: UnixSocket) => void): Promise<void> {
    while (!this.#closed) {
      try {
        onConnection(new UnixSocket(await this.#listener.accept()));
      } catch {
        // A host that is out of descriptors has some again in a moment.
        if (!this.#closed) await sleep(ACCEPT_AGAIN_MS);
      }
    }
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
  }
}

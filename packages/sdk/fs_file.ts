import {
  fromWireError,
  type MethodInput,
  type MethodName,
  type MethodOutput,
} from "@paddock/protocol";
import type { Connection } from "./connection.ts";
import type { FileInfo } from "./fs_types.ts";

/** What an offset counts from. */
export enum SeekMode {
  Start = 0,
  Current = 1,
  End = 2,
}

const fileKey: unique symbol = Symbol("FsFile");
const chunkBytes = 256 * 1024;

interface FileInit {
  key: typeof fileKey;
  connection: Connection;
  fileHandleId: number;
}

/** @internal */
export function openedFile(connection: Connection, fileHandleId: number): FsFile {
  return new FsFile({ key: fileKey, connection, fileHandleId });
}

/**
 * An open file in the sandbox. It belongs to the connection it was opened on: when that is lost, its
 * methods fail.
 *
 * ```ts
 * await using file = await sandbox.fs.open("log.txt", { append: true, create: true });
 * await file.write(new TextEncoder().encode("one more line\n"));
 * ```
 */
export class FsFile {
  readonly #init: FileInit;
  #closed = false;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #writable: WritableStream<Uint8Array<ArrayBuffer>> | undefined;

  /** @internal */
  constructor(init: FileInit) {
    if (init?.key !== fileKey) {
      throw new TypeError("FsFile cannot be constructed; use `sandbox.fs.open()` or `.create()`");
    }
    this.#init = init;
  }

  /** The rest of the file as a stream. The file is closed at its end. */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull: async (controller) => {
        const { data } = await this.#call("fileRead", { length: chunkBytes });
        if (data !== null && data.length > 0) {
          controller.enqueue(data as Uint8Array<ArrayBuffer>);
          return;
        }
        await this.close();
        controller.close();
      },
      cancel: () => this.close(),
    }, { highWaterMark: 0 });
  }

  /** Writes to the file as a stream. Closing the stream closes the file. */
  get writable(): WritableStream<Uint8Array<ArrayBuffer>> {
    return this.#writable ??= new WritableStream<Uint8Array<ArrayBuffer>>({
      write: async (chunk) => {
        for (let at = 0; at < chunk.length;) {
          at += await this.write(chunk.subarray(at, at + chunkBytes));
        }
      },
      close: () => this.close(),
      abort: () => this.close(),
    });
  }

  /** Writes some of `data`, usually all, and returns how many bytes. */
  async write(data: Uint8Array<ArrayBuffer>): Promise<number> {
    return (await this.#call("fileWrite", { data })).bytesWritten;
  }

  /** Reads into `buffer` and returns how many bytes; `null` at the end of the file. */
  async read(buffer: Uint8Array): Promise<number | null> {
    if (buffer.length === 0) return 0;
    const { data } = await this.#call("fileRead", { length: buffer.length });
    if (data === null) return null;
    const bytes = data.subarray(0, buffer.length);
    buffer.set(bytes);
    return bytes.length;
  }

  /** Moves the position and returns the new one. */
  async seek(offset: number | bigint, whence: SeekMode): Promise<number> {
    return (await this.#call("fileSeek", { offset, whence: whence as 0 | 1 | 2 })).position;
  }

  /** Cuts or extends the file to `len` bytes, 0 by default. */
  async truncate(len?: number): Promise<void> {
    await this.#call("fileTruncate", { len });
  }

  async stat(): Promise<FileInfo> {
    return await this.#call("fileStat", {});
  }

  /** Waits until contents and metadata are on disk. */
  async sync(): Promise<void> {
    await this.#call("fileSync", {});
  }

  /** Waits until contents are on disk. */
  async syncData(): Promise<void> {
    await this.#call("fileSyncData", {});
  }

  /** Numbers are milliseconds since 1970. */
  async utime(atime: number | Date, mtime: number | Date): Promise<void> {
    await this.#call("fileUtime", { atime: new Date(atime), mtime: new Date(mtime) });
  }

  /** Waits for an advisory lock: shared, or exclusive. */
  async lock(exclusive = false): Promise<void> {
    await this.#call("fileLock", { exclusive });
  }

  async unlock(): Promise<void> {
    await this.#call("fileUnlock", {});
  }

  /** Closes the file. Closing it again does nothing. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { connection, fileHandleId } = this.#init;
    // A lost connection has closed it already.
    if (!connection.isOpen) return;
    await connection.call("fileClose", { fileHandleId });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #call<M extends MethodName>(
    method: M,
    input: Omit<MethodInput<M>, "fileHandleId">,
  ): Promise<MethodOutput<M>> {
    if (this.#closed) {
      const constructorName = "BadResource";
      return Promise.reject(fromWireError({ constructorName, message: "the file is closed" }));
    }
    const { connection, fileHandleId } = this.#init;
    return connection.call(method, { ...input, fileHandleId } as unknown as MethodInput<M>);
  }
}

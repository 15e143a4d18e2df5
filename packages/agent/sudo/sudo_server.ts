import type { Account, Identity } from "../identity/identity.ts";
import { FdSocket } from "../identity/fd_socket.ts";
import { GuestProcess } from "../process/guest_process.ts";
import type { ProcessTable } from "../process/process_table.ts";
import { numberOfSignal, signalNumbered } from "../process/signals.ts";
import { findAccount } from "./accounts.ts";
import { parseSudoRequest, sudoCommand, type SudoRequest } from "./sudo_request.ts";

const MAX_REQUEST_BYTES = 4 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
const STDIO = 3;

export interface SudoServerOptions {
  identity: Identity;
  processes: ProcessTable;
  socketPath: string;
  environment: Record<string, string>;
  sandboxUser: Account;
  log(message: string): void;
}

/**
 * Runs commands as root, or anybody, for the guest's `sudo`: gVisor has no setuid programs, and in
 * a sandbox its user may do everything anyway. The command gets the caller's own standard streams,
 * as descriptors, so pipes, files and terminals are what they would be with a real sudo.
 */
export class SudoServer {
  readonly #options: SudoServerOptions;
  readonly #listener: Deno.UnixListener;
  readonly #fdPath: string;
  /** Made when it is first needed, as most sandboxes never see a sudo. */
  #fdSocket: FdSocket | undefined;
  /** One at a time: the descriptors that arrive belong to the request that waits for them. */
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: SudoServerOptions) {
    this.#options = options;
    const { socketPath, identity } = options;
    this.#fdPath = `${socketPath}.fds`;
    this.#listener = identity.asRoot(() => {
      const listener = Deno.listen({ transport: "unix", path: socketPath });
      Deno.chmodSync(socketPath, 0o666);
      return listener;
    });
    void this.#accept();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    this.#fdSocket?.close();
  }

  async #accept(): Promise<void> {
    try {
      for await (const connection of this.#listener) void this.#serve(connection);
    } catch (error) {
      if (!this.#closed) this.#options.log(`the sudo socket failed: ${error}`);
    }
  }

  async #serve(connection: Deno.UnixConn): Promise<void> {
    const lines = new Lines(connection);
    try {
      const process = await this.#start(connection, lines);
      if (!process) return;
      const gone = this.#forwardSignals(lines, process);
      await Promise.race([process.status, gone]);
      // Without the sudo that asked, nobody waits for the command any more.
      if (!process.exit) process.kill("SIGKILL");
      const { code, signal } = await process.status;
      await reply(connection, `exit ${code} ${numberOfSignal(signal)}`);
    } catch (error) {
      await reply(connection, `error ${error instanceof Error ? error.message : error}`)
        .catch(() => {});
    } finally {
      try {
        connection.close();
      } catch {
        // Closed by the caller.
      }
    }
  }

  async #start(connection: Deno.UnixConn, lines: Lines): Promise<GuestProcess | undefined> {
    const timer = setTimeout(() => connection.close(), REQUEST_TIMEOUT_MS);
    const text = await lines.request(MAX_REQUEST_BYTES).finally(() => clearTimeout(timer));
    const request = text === undefined ? undefined : parseSudoRequest(text);
    if (!request) {
      await reply(connection, "error the request makes no sense");
      return undefined;
    }
    const turn = this.#turn.then(() => this.#startWithDescriptors(connection, request));
    this.#turn = turn.catch(() => {});
    return await turn;
  }

  async #startWithDescriptors(
    connection: Deno.UnixConn,
    request: SudoRequest,
  ): Promise<GuestProcess | undefined> {
    const fdSocket = this.#fdSocket ??= this.#openFdSocket();
    await reply(connection, "descriptors");
    const received = await fdSocket.receive();
    const fds = received?.fds ?? [];
    try {
      if (received?.token !== request.token || fds.length !== STDIO) {
        throw new Error("the standard streams did not arrive");
      }
      const { identity, processes, environment, sandboxUser } = this.#options;
      const target = findAccount(request.user);
      if (!target) throw new Error(`unknown user ${request.user}`);
      const command = sudoCommand(request, target, sandboxUser, environment);
      const process = GuestProcess.spawn(identity, {
        kind: "root",
        ...command,
        stdin: "null",
        stdout: "null",
        stderr: "null",
        fds: fds as [number, number, number],
        user: target,
      });
      processes.add(process);
      return process;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) {
        throw new Error(`${request.argv[0]}: command not found`);
      }
      throw error;
    } finally {
      fdSocket.closeFds(fds);
    }
  }

  #openFdSocket(): FdSocket {
    return this.#options.identity.asRoot(() => {
      try {
        Deno.removeSync(this.#fdPath);
      } catch {
        // There is none from before.
      }
      const socket = new FdSocket(this.#fdPath);
      Deno.chmodSync(this.#fdPath, 0o666);
      return socket;
    });
  }

  async #forwardSignals(lines: Lines, process: GuestProcess): Promise<void> {
    try {
      for await (const line of lines.rest()) {
        const signal = signalNumbered(Number(line.match(/^signal (\d+)$/)?.[1]));
        if (signal) process.kill(signal);
      }
    } catch {
      // The caller is gone.
    }
  }
}

async function reply(connection: Deno.Conn, line: string): Promise<void> {
  const bytes = new TextEncoder().encode(`${line.replaceAll("\n", " ")}\n`);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** A request behind its length, then lines. */
class Lines {
  readonly #connection: Deno.Conn;
  #buffered = new Uint8Array(0);

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  async request(maxBytes: number): Promise<string | undefined> {
    while (this.#buffered.length < 4) if (!await this.#more()) return undefined;
    const length = new DataView(this.#buffered.buffer, this.#buffered.byteOffset).getUint32(0);
    if (length > maxBytes) return undefined;
    while (this.#buffered.length < 4 + length) if (!await this.#more()) return undefined;
    const text = new TextDecoder().decode(this.#buffered.subarray(4, 4 + length));
    this.#buffered = this.#buffered.slice(4 + length);
    return text;
  }

  async *rest(): AsyncGenerator<string> {
    do {
      const lines = new TextDecoder().decode(this.#buffered).split("\n");
      const last = lines.pop()!;
      this.#buffered = new TextEncoder().encode(last.slice(-64));
      yield* lines;
    } while (await this.#more());
  }

  async #more(): Promise<boolean> {
    const chunk = new Uint8Array(64 * 1024);
    const read = await this.#connection.read(chunk);
    if (read === null) return false;
    const grown = new Uint8Array(this.#buffered.length + read);
    grown.set(this.#buffered);
    grown.set(chunk.subarray(0, read), this.#buffered.length);
    this.#buffered = grown;
    return true;
  }
}

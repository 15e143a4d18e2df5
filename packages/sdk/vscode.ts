import type { ChildProcess } from "./child_process.ts";
import type { ChildProcessStatus, Signal } from "./child_process_types.ts";
import type { Connection } from "./connection.ts";
import type { Link } from "./link.ts";
import { ignoreGone } from "./child_process.ts";
import { processStatus } from "./process_status.ts";

/** Options for `sandbox.exposeVscode`. */
export interface VsCodeOptions {
  /** Environment variables of the editor and its terminals. */
  env?: Record<string, string>;
  /** Extensions to install: ids, or paths of `.vsix` files in the sandbox. */
  extensions?: string[];
  /** A page to open in a preview beside the editor. */
  preview?: string;
  /** Default: `false`. */
  disableStopButton?: boolean;
  /** The editor's `settings.json`. */
  editorSettings?: Record<string, unknown>;
}

const vscodeKey: unique symbol = Symbol("VsCode");

interface VsCodeInit {
  key: typeof vscodeKey;
  link: Link;
  connection: Connection;
  url: string;
  pid: number;
  stdout: NonNullable<ChildProcess["stdout"]>;
  stderr: NonNullable<ChildProcess["stderr"]>;
}

/** @internal */
export function openedVsCode(init: Omit<VsCodeInit, "key">): VsCode {
  return new VsCode({ key: vscodeKey, ...init });
}

/** VS Code running in the sandbox, for a browser. */
export class VsCode {
  readonly #init: VsCodeInit;
  readonly #status: Promise<ChildProcessStatus>;

  /** @internal */
  constructor(init: VsCodeInit) {
    if (init?.key !== vscodeKey) {
      throw new TypeError("VsCode cannot be constructed; use `sandbox.exposeVscode()`");
    }
    this.#init = init;
    this.#status = processStatus(init.connection, { pid: init.pid, vscode: true });
    this.#status.catch(() => {});
  }

  /** Where to open it. Whoever knows the address can use it. */
  get url(): string {
    return this.#init.url;
  }

  get stdout(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#init.stdout;
  }

  get stderr(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#init.stderr;
  }

  /** How it ended, once it has. */
  get status(): Promise<ChildProcessStatus> {
    return this.#status;
  }

  /** Sends a signal, SIGTERM by default. Does not wait for the end. */
  async kill(signal?: Signal): Promise<void> {
    const { link, pid } = this.#init;
    await link.call("processKill", { pid, signal, vscode: true }).catch(ignoreGone);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#status;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `VsCode { url: '${this.url}' }`;
  }
}

import { type MethodInput, PaddockError } from "@paddock/protocol";
import type { AgentConfig } from "../config.ts";
import type { GuestProcess } from "../process/guest_process.ts";
import type { ProcessTable } from "../process/process_table.ts";
import { endFamily } from "./end_family.ts";
import { type Extension, installExtensions } from "./extensions.ts";
import type { VscodeLayer } from "./layer.ts";
import { LossyOutput } from "./lossy_output.ts";
import { writeSettings } from "./settings.ts";

/** Marks all that descends from an editor. */
const FAMILY = "PADDOCK_VSCODE_FAMILY";
const LIGHT_NOTE =
  "little memory: VS Code runs without TypeScript's server, debugger and the like; " +
  "a sandbox of 768 MiB or more has them";
/** By now a page that was opened at once has been drawn; what is not urgent begins. */
const SETTLED_MS = 8_000;

export interface EditorOptions {
  config: AgentConfig;
  processes: ProcessTable;
  layer: VscodeLayer;
  /** Which of the editors that run it is. */
  number: number;
  folder: string;
  /** Without what needs a process of its own for each language. */
  light: boolean;
  input: MethodInput<"vscode">;
}

/** One code-server, from its start to its end. */
export class Editor {
  readonly stdout: LossyOutput;
  readonly stderr = new LossyOutput();
  readonly #options: EditorOptions;
  readonly #data: string;
  readonly #extensionsDir: string;
  readonly #listening = Promise.withResolvers<number>();
  #process!: GuestProcess;
  #env: Record<string, string> = {};

  constructor(options: EditorOptions) {
    this.#options = options;
    const share = `${options.config.account.home}/.local/share`;
    this.#data = `${share}/code-server${options.number > 1 ? `-${options.number}` : ""}`;
    this.#extensionsDir = `${share}/code-server/extensions`;
    this.stdout = new LossyOutput((tail) => {
      const line = /^\{"paddockVscode":\{"port":(\d+)\}\}$/m.exec(tail);
      if (line) this.#listening.resolve(Number(line[1]));
    });
    this.#listening.promise.catch(() => {});
  }

  get pid(): number {
    return this.#process.pid;
  }

  get ended(): Promise<unknown> {
    return this.#process.status;
  }

  spawn(environment: Record<string, string>): void {
    const { input, layer, folder, light } = this.#options;
    if (light) this.stderr.say(`[paddock] ${LIGHT_NOTE}`);
    writeSettings(`${this.#data}/User`, input.editorSettings, (text) => this.stderr.say(text));
    Deno.mkdirSync(this.#extensionsDir, { recursive: true });
    const family = crypto.randomUUID();
    this.#env = {
      NODE_COMPILE_CACHE: `${layer.path}/cache`,
      ...environment,
      [FAMILY]: family,
      PADDOCK_VSCODE_PREVIEW: input.preview ?? "",
      PADDOCK_VSCODE_STOP_BUTTON: input.disableStopButton ? "no" : "yes",
    };
    this.#process = this.#run([
      `${layer.path}/start.cjs`,
      ...["--auth", "none", "--bind-addr", "127.0.0.1:0", "--ignore-last-opened"],
      ...["--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"],
      ...["--disable-getting-started-override"],
      ...(light ? ["--vscode-option", `builtin-extensions-dir=${layer.path}/light`] : []),
      ...["--user-data-dir", this.#data, "--extensions-dir", this.#extensionsDir],
      folder,
    ], folder);
    void this.ended.then(() => endFamily(FAMILY, family));
    void this.stdout.drain(this.#process.output("stdout"));
    void this.stderr.drain(this.#process.output("stderr"));
  }

  /** Where it listens; it is ended when it does not come to that in time. */
  async port(deadlineMs: number, signal: AbortSignal): Promise<number> {
    const fail = (what: string) => {
      const tail = `${this.stdout.tail}${this.stderr.tail}`.trim().slice(-2_000);
      this.#listening.reject(
        new PaddockError("VSCODE_FAILED", {
          message: `VS Code did not start in the sandbox: ${what}.${tail && `\n${tail}`}`,
        }),
      );
    };
    const giveUp = () => this.#listening.reject(signal.reason);
    const timer = setTimeout(() => fail(`it does not listen after ${deadlineMs} ms`), deadlineMs);
    signal.addEventListener("abort", giveUp, { once: true });
    void this.#process.status.then(({ code, oom }) => {
      fail(oom ? "it ran out of memory" : `it ended with code ${code}`);
    });
    try {
      return await this.#listening.promise;
    } catch (error) {
      this.#process.kill("SIGKILL");
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** Beside the editor, which sees what is installed while it runs. */
  async install(extensions: Extension[], deadlineMs: number) {
    const { layer, folder, input } = this.#options;
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), deadlineMs);
    void this.ended.then(() => stop.abort());
    // What nobody asked for waits until the first page had the processor to itself.
    if (input.extensions.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
    }
    await installExtensions({
      extensions,
      marketplace: layer.marketplace,
      signal: stop.signal,
      say: (line) => this.stderr.say(line),
      run: (source) => {
        const entry = `${layer.path}/node_modules/code-server/out/node/entry.js`;
        const process = this.#run([
          entry,
          ...["--install-extension", source, "--extensions-dir", this.#extensionsDir],
          ...["--user-data-dir", this.#data],
        ], folder);
        for (const name of ["stdout", "stderr"] as const) {
          void this.#echo(process.output(name));
        }
        return process;
      },
    }).catch((error) => this.stderr.say(`[extensions] ${error}`));
    clearTimeout(timer);
  }

  async #echo(output: ReadableStream<Uint8Array>): Promise<void> {
    try {
      for await (const chunk of output) this.stderr.write(chunk);
    } catch {
      // Its end.
    }
  }

  #run(args: string[], cwd: string): GuestProcess {
    const { processes, layer } = this.#options;
    return processes.spawn({
      kind: "vscode",
      command: `${layer.path}/bin/node`,
      args,
      env: this.#env,
      cwd,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  }
}

import { type MethodInput, PaddockError } from "@paddock/protocol";
import type { AgentConfig } from "../config.ts";
import { osError } from "../fs/os_error.ts";
import { below } from "../fs/paths.ts";
import type { Environment } from "../process/environment.ts";
import type { ProcessTable } from "../process/process_table.ts";
import { Editor } from "./editor.ts";
import { chooseExtensions } from "./extensions.ts";
import { findVscodeLayer } from "./layer.ts";

const MiB = 1024 * 1024;
/** What an editor is seen to use with a TypeScript file and a terminal open, and some room. */
const FULL_MEMORY = 768 * MiB;

export interface VscodeServices {
  config: AgentConfig;
  environment: Environment;
  processes: ProcessTable;
}

export interface StartedVscode {
  pid: number;
  port: number;
  stdout: ReadableStream<Uint8Array>;
  stderr: ReadableStream<Uint8Array>;
}

/** The editors of this sandbox, each a code-server with files of its own. */
export class VscodeServers {
  readonly #services: VscodeServices;
  /** Numbers of those that run, so that each has its own directory and finds it again. */
  readonly #running = new Set<number>();

  constructor(services: VscodeServices) {
    this.#services = services;
  }

  async start(input: MethodInput<"vscode">, signal: AbortSignal): Promise<StartedVscode> {
    const { config, environment, processes } = this.#services;
    const { home } = config.account;
    const folder = below(home, input.path);
    // Follows symbolic links, and throws NotFound with the path for what is not there.
    if (!Deno.statSync(folder).isDirectory) {
      throw osError("ENOTDIR", `Not a directory (os error 20): ${folder}`);
    }
    const extensions = chooseExtensions(input.extensions, folder);
    this.#refuseWithoutMemory();
    const layer = await findVscodeLayer(
      AbortSignal.any([signal, AbortSignal.timeout(config.limits.vscodePrepareMs)]),
    );
    const number = this.#take();
    const light = config.memoryBytes > 0 && config.memoryBytes < FULL_MEMORY * this.#running.size;
    const editor = new Editor({ config, processes, layer, number, folder, light, input });
    try {
      editor.spawn(environment.forCommand(input.env));
      void editor.ended.then(() => this.#running.delete(number));
    } catch (error) {
      this.#running.delete(number);
      throw error;
    }
    const port = await editor.port(config.limits.vscodeStartMs, signal);
    void editor.install(extensions, config.limits.vscodeExtensionsMs);
    return {
      pid: editor.pid,
      port,
      stdout: editor.stdout.stream,
      stderr: editor.stderr.stream,
    };
  }

  #refuseWithoutMemory(): void {
    const { memoryBytes, limits } = this.#services.config;
    const needed = limits.vscodeMemoryMb * (this.#running.size + 1);
    if (memoryBytes === 0 || memoryBytes >= needed * MiB) return;
    const others = this.#running.size > 0 ? ` beside the ${this.#running.size} that run` : "";
    throw new PaddockError("VSCODE_NEEDS_MEMORY", {
      message: `VS Code needs a sandbox with ${needed} MiB of memory${others}, and this one has ` +
        `${Math.floor(memoryBytes / MiB)} MiB.`,
      hint: `Create it with \`memoryMb: ${Math.max(1024, needed)}\` or more.`,
      details: { limit: "vscodeMemoryMb", needed },
    });
  }

  #take(): number {
    let number = 1;
    while (this.#running.has(number)) number++;
    this.#running.add(number);
    return number;
  }
}

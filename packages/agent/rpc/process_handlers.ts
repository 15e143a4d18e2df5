import type { MethodInput } from "@paddock/protocol";
import type { AgentConfig } from "../config.ts";
import { osError } from "../fs/os_error.ts";
import { below } from "../fs/paths.ts";
import type { ListeningPorts } from "../net/listening.ts";
import { denoRunArgs, watchRestarts, writeScript } from "../process/deno_program.ts";
import type { Environment } from "../process/environment.ts";
import type { GuestProcess } from "../process/guest_process.ts";
import type { ProcessTable } from "../process/process_table.ts";
import { signalNamed } from "../process/signals.ts";
import type { ReplPool } from "../repl/repl_pool.ts";
import type { Call, Handlers } from "./handlers.ts";

type ProcessMethod =
  | "spawn"
  | "processWait"
  | "processKill"
  | "spawnDeno"
  | "denoHttpWait"
  | "spawnDenoRepl"
  | "denoReplClose"
  | "denoReplEval"
  | "paddock.evaluated"
  | "denoReplCall";

export interface ProcessServices {
  config: AgentConfig;
  environment: Environment;
  processes: ProcessTable;
  repls: ReplPool;
  ports: ListeningPorts;
}

type Start = Pick<
  MethodInput<"spawn">,
  "stdinStreamId" | "stdout" | "stderr" | "env" | "clearEnv" | "cwd"
>;

/** Commands, Deno programs and REPLs. */
export function processHandlers(services: ProcessServices): Pick<Handlers, ProcessMethod> {
  const { config, environment, processes, repls, ports } = services;
  const { home } = config.account;

  function directory(cwd: string | undefined): string {
    return cwd === undefined ? home : below(home, cwd);
  }

  /** Starts a process and connects its streams; a stream it will not read is refused. */
  function start(
    input: Start,
    call: Call,
    program: { kind: "command" | "deno"; command: string; args: string[] },
    onRestart?: () => void,
  ) {
    let process: GuestProcess;
    try {
      process = processes.spawn({
        ...program,
        env: environment.forCommand(input.env, input.clearEnv),
        cwd: directory(input.cwd),
        stdin: input.stdinStreamId === undefined ? "null" : "piped",
        stdout: input.stdout,
        stderr: onRestart ? "piped" : input.stderr,
      });
    } catch (error) {
      call.refuse(input.stdinStreamId, error);
      throw error;
    }
    return { process, started: connect(process, input, call, onRestart) };
  }

  function connect(process: GuestProcess, input: Start, call: Call, onRestart?: () => void) {
    if (input.stdinStreamId !== undefined) process.feed(call.receive(input.stdinStreamId));
    const stdoutStreamId = input.stdout === "piped" ? call.send(process.output("stdout")) : null;
    let stderrStreamId: number | null = null;
    if (onRestart) {
      const watched = watchRestarts(process.output("stderr"), onRestart);
      if (input.stderr === "piped") stderrStreamId = call.send(watched);
      else watched.pipeTo(new WritableStream()).catch(() => {});
    } else if (input.stderr === "piped") {
      stderrStreamId = call.send(process.output("stderr"));
    }
    return { pid: process.pid, stdoutStreamId, stderrStreamId };
  }

  async function spawnDeno(input: MethodInput<"spawnDeno">, call: Call) {
    if ("code" in input) {
      let script: Awaited<ReturnType<typeof writeScript>>;
      try {
        script = await writeScript(input.code, input.extension, directory(input.cwd));
      } catch (error) {
        call.refuse(input.stdinStreamId, error);
        throw error;
      }
      try {
        const args = denoRunArgs({ entrypoint: script.path, scriptArgs: input.scriptArgs });
        const { process, started } = start(input, call, {
          kind: "deno",
          command: config.deno,
          args,
        });
        process.status.then(script.remove, script.remove);
        return { ...started, watcherId: null };
      } catch (error) {
        void script.remove();
        throw error;
      }
    }
    const watcherId = input.watch ? crypto.randomUUID() : null;
    const { started } = start(
      input,
      call,
      { kind: "deno", command: config.deno, args: denoRunArgs(input) },
      watcherId === null ? undefined : () => call.notifyRestart(watcherId),
    );
    return { ...started, watcherId };
  }

  async function spawnDenoRepl(input: MethodInput<"spawnDenoRepl">, call: Call) {
    const cwd = directory(input.cwd);
    let process: GuestProcess;
    try {
      if (input.cwd !== undefined && !Deno.statSync(cwd).isDirectory) {
        throw osError("ENOTDIR", `Not a directory (os error 20): ${cwd}`);
      }
      const repl = await repls.open({
        env: environment.forCommand(input.env, input.clearEnv),
        cwd,
        args: input.scriptArgs ?? [],
      }, input.evaluate);
      process = repl.process;
    } catch (error) {
      call.refuse(input.stdinStreamId, error);
      throw error;
    }
    // A REPL always has pipes: the one that was kept ready could not know what would be wanted.
    if (input.stdinStreamId === undefined) process.closeInput();
    if (input.stdout === "null") process.discardOutput("stdout");
    if (input.stderr === "null") process.discardOutput("stderr");
    return connect(process, input, call);
  }

  return {
    spawn: (input, call) =>
      start(input, call, { kind: "command", command: input.command, args: input.args ?? [] })
        .started,
    processWait: ({ pid }) => processes.get(pid).status,
    processKill: ({ pid, signal = "SIGTERM" }) => {
      const name = signalNamed(signal);
      if (!processes.get(pid).kill(name)) {
        throw osError("ENOENT", `Process ${pid} has ended`);
      }
    },
    spawnDeno,
    denoHttpWait: async ({ pid }, call) => {
      const process = processes.get(pid);
      const over = new AbortController();
      const end = () => over.abort();
      process.status.then(end, end);
      const signal = AbortSignal.any([over.signal, call.signal()]);
      return await ports.wait(pid, signal);
    },
    spawnDenoRepl,
    denoReplClose: ({ pid }) => repls.get(pid).close(),
    denoReplEval: ({ pid, code }) => repls.get(pid).evaluate(code),
    "paddock.evaluated": ({ ticket }) => repls.evaluated(ticket),
    denoReplCall: ({ pid, fn, args }) => repls.get(pid).call(fn, args),
  };
}

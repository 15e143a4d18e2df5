import type { CheckedTemplateDefinition } from "@paddock/protocol";
import { withDeadline } from "./deadline.ts";
import type { Sandbox } from "./sandbox.ts";
import { TemplateBuildError } from "./template_build_error.ts";
import { PLACE_SCRIPT, type TemplateFile } from "./template_files.ts";

/** In /var/tmp: what is in /tmp is in memory. */
const STAGING = "/var/tmp/.template-files";
/** What the start command prints, in the sandboxes too. */
const START_LOG = "/home/sandbox/.start.log";
const OUTPUT_KEPT = 4_000;
/** What a program left running holds its output open: how long that is waited for. */
const OUTPUT_AFTER_END_MS = 500;

const APT_SCRIPT = `set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -q -y --no-install-recommends install -- "$@"
apt-get clean
rm -rf /var/lib/apt/lists/*`;

const START_SCRIPT = `exec >"$1" 2>&1
exec sh -c "$2"`;

const PORT_SCRIPT = `until (exec 3<>/dev/tcp/127.0.0.1/$1 || exec 3<>/dev/tcp/::1/$1) 2>/dev/null
do sleep 0.1
done`;

/** Where the agent looks for it. */
const RESTORED_SCRIPT = `mkdir -p /etc/paddock
printf '%s\\n' "$1" > /etc/paddock/restored`;

const READY_SCRIPT = `until sh -c "$1" >/dev/null 2>&1
do sleep 0.2
done`;

/** A shell script as the sandbox's user or root, with arguments. */
interface Script {
  shell?: "sh" | "bash";
  text: string;
  args?: string[];
  root?: boolean;
  cwd?: string;
}

/** Makes of a fresh sandbox what a template's definition says, step by step. */
export class TemplateSteps {
  readonly #sandbox: Sandbox;
  readonly #log: (entry: { step: string; text?: string }) => void;
  /** What is under way, and the end of what it printed. */
  step = "sandbox";
  output = "";

  constructor(sandbox: Sandbox, log: (entry: { step: string; text?: string }) => void) {
    this.#sandbox = sandbox;
    this.#log = log;
  }

  begin(step: string): void {
    this.step = step;
    this.output = "";
    this.#log({ step });
  }

  async run(
    { packages = [], commands = [], start, restored }: CheckedTemplateDefinition,
    files: readonly TemplateFile[],
    signal: AbortSignal,
  ): Promise<void> {
    if (packages.length > 0) {
      this.begin("packages");
      await this.#script({ text: APT_SCRIPT, args: packages, root: true }, signal);
    }
    await this.#files(files, signal);
    for (const [index, command] of commands.entries()) {
      this.begin(`commands[${index}]`);
      const { run, ...how } = typeof command === "string" ? { run: command } : command;
      await this.#script({ text: run, ...how }, signal);
    }
    if (start) await this.#start(start, signal);
    if (restored !== undefined) {
      this.begin("restored");
      await this.#script({ text: RESTORED_SCRIPT, args: [restored], root: true }, signal);
    }
  }

  async #files(files: readonly TemplateFile[], signal: AbortSignal): Promise<void> {
    if (files.length === 0) return;
    await this.#sandbox.mkdir(STAGING, { recursive: true });
    for (const [index, { step, local, to, root }] of files.entries()) {
      this.begin(step);
      const staged = `${STAGING}/${index}`;
      await this.#sandbox.upload(local, staged, { signal });
      const own = root ? `chown -hR root:root -- "$1"\n` : "";
      await this.#script({ text: own + PLACE_SCRIPT, args: [staged, to], root }, signal);
    }
    await this.#sandbox.remove(STAGING, { recursive: true });
  }

  /** Runs it to its end; throws when that is not a success. */
  async #script(script: Script, signal: AbortSignal): Promise<void> {
    const { text, ...how } = script;
    // Both outputs as one, in the order in which they were written.
    const child = await this.#spawn({ ...how, text: `exec 2>&1\n${text}` }, signal);
    const reader = child.stdout!.getReader();
    const reading = this.#read(reader);
    const { success, code, oom } = await child.status;
    const open = () => new Error("something else has its output");
    await withDeadline(OUTPUT_AFTER_END_MS, open, signal, () => reading).catch(() => {});
    reader.cancel().catch(() => {});
    if (success) return;
    throw this.#failed(oom ? "ran out of memory (memory)" : `failed with exit code ${code}`, code);
  }

  async #read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for (;;) {
      const { value, done } = await reader.read().catch(() => ({ value: undefined, done: true }));
      if (done) return;
      this.#said(decoder.decode(value, { stream: true }));
    }
  }

  async #start(
    { command, root, cwd, ready, timeoutSeconds }: NonNullable<CheckedTemplateDefinition["start"]>,
    signal: AbortSignal,
  ): Promise<void> {
    this.begin("start");
    const started = await this.#spawn(
      { text: START_SCRIPT, args: [START_LOG, command], root, cwd, quiet: true },
      signal,
    );
    const check = await this.#spawn(
      "port" in ready
        ? { shell: "bash", text: PORT_SCRIPT, args: [String(ready.port)], quiet: true }
        : { text: READY_SCRIPT, args: [ready.command], quiet: true },
      signal,
    );
    // One that puts itself into the background ends well before it is ready.
    const failed = started.status.then(({ success, code }) => success ? never : code);
    const isReady = check.status.then(() => "ready" as const);
    const late = new Error("it is not ready");
    const outcome = await withDeadline(
      timeoutSeconds * 1000,
      () => late,
      signal,
      () => Promise.race([isReady, failed]),
    ).catch((error) => {
      if (error === late) return "late" as const;
      throw error;
    });
    if (outcome === "ready") return;
    await check.kill("SIGKILL");
    this.#said(await this.#endOfLog());
    throw outcome === "late"
      ? this.#failed(`was not ready within ${timeoutSeconds} s (start.timeoutSeconds)`)
      : this.#failed(`failed with exit code ${outcome} before it was ready`, outcome);
  }

  async #endOfLog(): Promise<string> {
    const tail = await this.#sandbox.spawn("tail", {
      args: ["-c", String(OUTPUT_KEPT), START_LOG],
      stdout: "piped",
      stderr: "null",
    });
    return (await tail.output()).stdoutText ?? "";
  }

  #spawn(
    { shell = "sh", text, args = [], root, cwd, quiet }: Script & { quiet?: boolean },
    signal: AbortSignal,
  ) {
    const words = [...root ? ["sudo", "-E"] : [], shell, "-ec", text, shell, ...args];
    return this.#sandbox.spawn(words[0], {
      args: words.slice(1),
      cwd,
      stdout: quiet ? "null" : "piped",
      stderr: "null",
      signal,
    });
  }

  #said(text: string): void {
    if (text === "") return;
    this.output = (this.output + text).slice(-OUTPUT_KEPT);
    this.#log({ step: this.step, text });
  }

  #failed(problem: string, exitCode?: number): TemplateBuildError {
    return new TemplateBuildError(this.step, problem, { output: this.output, exitCode });
  }
}

const never = new Promise<never>(() => {});

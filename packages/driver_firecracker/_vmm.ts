import { type ConsoleLog, sleep } from "@paddock/driver";
import type { TapNetwork } from "@paddock/driver/vm";
import { ApiClient } from "./_api_client.ts";
import { type Jail, JAIL_FILES, type JailMount } from "./_jail.ts";
import { launchArguments } from "./_launch_command.ts";
import { LogPipe } from "./_log_pipe.ts";
import { versionProblem } from "./_version.ts";

const ENVIRONMENT = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
};
/** From the start of the jailer to the first answer on the socket: 20 ms where nothing is emulated. */
const START_DEADLINE_MS = 30_000;
const LOG_CHARACTERS = 16 * 1024;
/** One report is about 8 KB, and only the newest is of use. */
const METRICS_CHARACTERS = 32 * 1024;

export interface VmmOptions {
  jail: Jail;
  mounts: JailMount[];
  /** Further files in the jail, by their names there, each put together from parts. */
  files?: Record<string, Uint8Array[]>;
  netns?: string;
  network?: TapNetwork;
  /** Seconds of a processor's time after which the kernel ends it, whatever becomes of its owner. */
  cpuSeconds?: number;
  /** Empty for a machine in the caller's own cgroup. */
  cgroupDirectories: string[];
  /** Takes what the guest writes to its serial port. */
  console: ConsoleLog;
  /** Sees the same, as it comes. */
  onConsole?: (chunk: Uint8Array) => void;
}

/** A jailed Firecracker that answers on its socket, without a machine in it so far. */
export interface Vmm {
  /** Ends with the VMM, with its exit code or signal. */
  child: Deno.ChildProcess;
  /** The VMM itself, on the host. */
  pid: number;
  api: ApiClient;
  version: string;
  log: LogPipe;
  metrics: LogPipe;
  /** Settles when the guest's console has been read to its end. */
  drained: Promise<unknown>;
  /** Closes what the host holds of it; the process is its owner's. */
  release(): void;
}

/** Starts Firecracker in its jail. When it fails, its processes are the caller's to end. */
export async function startVmm(options: VmmOptions, signal: AbortSignal): Promise<Vmm> {
  const { jail } = options;
  await jail.prepare(options.mounts);
  for (const [name, parts] of Object.entries(options.files ?? {})) await jail.write(name, parts);
  using stack = new DisposableStack();
  const log = stack.use(await LogPipe.create(jail.path(JAIL_FILES.log), jail.uid, LOG_CHARACTERS));
  const metrics = stack.use(
    await LogPipe.create(jail.path(JAIL_FILES.metrics), jail.uid, METRICS_CHARACTERS),
  );
  signal.throwIfAborted();
  const child = new Deno.Command("sh", {
    args: launchArguments({
      cgroupDirectories: options.cgroupDirectories,
      netns: options.netns,
      fstab: jail.fstab,
      jailer: [
        ...(options.cpuSeconds === undefined ? [] : ["prlimit", `--cpu=${options.cpuSeconds}`]),
        ...jail.jailerArguments(),
      ],
    }),
    clearEnv: true,
    env: {
      ...ENVIRONMENT,
      links: options.network?.links ?? "",
      filter: options.network?.filter ?? "",
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  stack.defer(() => killVmm(child));
  const drained = Promise.all([
    options.console.drain(inspected(child.stdout, options.onConsole)),
    options.console.drain(child.stderr),
  ]);
  const deadline = AbortSignal.timeout(START_DEADLINE_MS);
  const ended = new AbortController();
  child.status.then(async ({ code, signal: by }) => {
    await Promise.race([drained, sleep(200)]);
    const said = `${options.console.text()}\n${log.text()}`.trim().slice(-1_000);
    ended.abort(new Error(`Firecracker ended as it started (${by ?? `code ${code}`}): ${said}`));
  });
  const stop = AbortSignal.any([signal, deadline, ended.signal]);
  const pid = await waitFor(() => jailedProcess(child.pid), stop);
  // By way of the process: a path through the data directory may be too long for a socket's name.
  const socket = `/proc/${pid}/root${JAIL_FILES.api}`;
  await waitFor(() => isSocket(socket), stop);
  const api = stack.use(new ApiClient(socket));
  const { vmm_version: version } = await api.instance({ signal: stop });
  const problem = versionProblem(version);
  if (problem) throw new Error(problem);
  const owned = stack.move();
  return { child, pid, api, version, log, metrics, drained, release: () => owned.dispose() };
}

function inspected(
  stream: ReadableStream<Uint8Array>,
  see: ((chunk: Uint8Array) => void) | undefined,
): ReadableStream<Uint8Array> {
  if (!see) return stream;
  return stream.pipeThrough(
    new TransformStream({
      transform(chunk, controller) {
        see(chunk);
        controller.enqueue(chunk);
      },
    }),
  );
}

/**
 * Ends a VMM, and with it all that was started for it: it is the first process of its namespace.
 * That its parent ends does not end it: the kernel forgets such a bond when a process changes its user.
 */
export function killVmm(child: Deno.ChildProcess): void {
  const jailed = jailedProcess(child.pid);
  for (const kill of [() => jailed && Deno.kill(jailed, "SIGKILL"), () => child.kill("SIGKILL")]) {
    try {
      kill();
    } catch {
      // It has ended by itself.
    }
  }
}

/** The process in whose root directory the jail's files are: the only child of `unshare`. */
function jailedProcess(parent: number): number | undefined {
  const children = read(`/proc/${parent}/task/${parent}/children`)?.trim();
  const pid = Number(children?.split(" ")[0]);
  const innermost = read(`/proc/${pid}/status`)?.match(/^NSpid:.*\s(\d+)$/m)?.[1];
  return innermost === "1" ? pid : undefined;
}

function isSocket(path: string): true | undefined {
  try {
    return Deno.lstatSync(path).isSocket ? true : undefined;
  } catch {
    return undefined;
  }
}

async function waitFor<T>(look: () => T | undefined, signal: AbortSignal): Promise<T> {
  for (let wait = 1;; wait = Math.min(wait * 2, 20)) {
    signal.throwIfAborted();
    const found = look();
    if (found !== undefined) return found;
    await sleep(wait, signal);
  }
}

function read(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

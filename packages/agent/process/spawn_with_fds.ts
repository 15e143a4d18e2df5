import type { SpawnedChild, SpawnOptions } from "./guest_process.ts";

let spawn: typeof import("node:child_process").spawn | undefined;

/** Only Node's module takes descriptors, and it is large: it is loaded when it is first needed. */
export async function loadChildProcess(): Promise<void> {
  ({ spawn } = await import("node:child_process"));
}

/** Starts a process whose standard streams are descriptors that this process holds. */
export function spawnWithFds(
  options: Pick<SpawnOptions, "command" | "args" | "cwd" | "env">,
  fds: [number, number, number],
  user: { uid?: number; gid?: number },
): SpawnedChild {
  if (!spawn) throw new Error("loadChildProcess comes first");
  const child = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: options.env,
    stdio: fds,
    detached: true,
    ...user,
  });
  const { promise, resolve, reject } = Promise.withResolvers<Deno.CommandStatus>();
  child.on("exit", (code, signal) =>
    resolve({
      success: code === 0,
      // As Deno reports it: an exit by signal has a code, too.
      code: code ?? 1,
      signal: signal as Deno.Signal | null,
    }));
  child.on("error", reject);
  promise.catch(() => {});
  if (child.pid === undefined) throw new Deno.errors.NotFound(`${options.command} cannot be run`);
  return { pid: child.pid, status: promise };
}

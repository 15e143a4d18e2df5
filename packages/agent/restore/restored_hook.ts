import type { Environment } from "../process/environment.ts";
import type { ProcessTable } from "../process/process_table.ts";

/** Where a template keeps what it wants done in each machine that is restored from it. */
const HOOK = "/etc/paddock/restored";

export interface HookServices {
  environment: Environment;
  processes: ProcessTable;
  home: string;
  withinMs: number;
}

/**
 * Runs what a template wants done in a restored machine before anybody reaches it, as the sandbox user, if
 * there is such a thing. Answers what went wrong.
 */
export async function runRestoredHook(
  { environment, processes, home, withinMs }: HookServices,
): Promise<string | undefined> {
  if (!isThere()) return undefined;
  const process = processes.spawn({
    ...{ kind: "command", command: "sh", args: ["-e", HOOK], cwd: home },
    env: environment.forCommand(),
    ...{ stdin: "null", stdout: "null", stderr: "null" },
  });
  const late = Promise.withResolvers<"late">();
  const timer = setTimeout(() => late.resolve("late"), withinMs);
  const outcome = await Promise.race([process.status, late.promise]);
  clearTimeout(timer);
  if (outcome === "late") {
    process.kill("SIGKILL");
    return `it took longer than ${withinMs} ms (limits.restoredCommandMs)`;
  }
  return outcome.success ? undefined : `it failed with exit code ${outcome.code}`;
}

function isThere(): boolean {
  try {
    return Deno.statSync(HOOK).isFile;
  } catch {
    return false;
  }
}

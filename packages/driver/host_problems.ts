import { findCgroups } from "./cgroup.ts";
import { runCommand } from "./run_command.ts";

/** One sentence for each program that is not there; Debian has them in these packages. */
export async function missingPrograms(
  packages: Record<string, string>,
  signal: AbortSignal,
): Promise<string[]> {
  const problems: string[] = [];
  for (const [program, name] of Object.entries(packages)) {
    const found = await runCommand(["sh", "-c", 'command -v "$1"', "sh", program], { signal });
    if (!found.ok) problems.push(`There is no ${program} on this host (Debian: ${name}).`);
  }
  return problems;
}

/** Why sandboxes cannot be bounded here, in one sentence; none when they can. */
export function missingCgroups(): string[] {
  try {
    findCgroups();
    return [];
  } catch (error) {
    return [`${(error as Error).message}.`];
  }
}

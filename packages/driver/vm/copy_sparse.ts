import { runCommand } from "../run_command.ts";

const DEADLINE_MS = 5 * 60_000;

/** Copies a file and keeps its holes; where the filesystem can, the copy shares its blocks. */
export async function copySparse(from: string, to: string, signal: AbortSignal): Promise<void> {
  const made = await runCommand(
    ["cp", "--reflink=auto", "--sparse=auto", "--no-preserve=all", "--", from, to],
    { signal, deadlineMs: DEADLINE_MS },
  );
  if (!made.ok) throw new Error(made.stderr);
}

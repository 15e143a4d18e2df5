import { sleep } from "./sleep.ts";

const LOOK_EVERY_MS = 5;

/**
 * Resolves when no loop device of the host reads or writes any of these files. The kernel unmounts
 * after the last process that saw the mount is gone, a moment later; from then on what was written
 * through the mount is in the file's pages.
 */
export async function releasedByLoop(paths: readonly string[], deadlineMs: number): Promise<void> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const held = loopFiles().find((file) => paths.includes(file));
    if (held === undefined) return;
    if (performance.now() > end) throw new Error(`${held} is still mounted after ${deadlineMs} ms`);
    await sleep(LOOK_EVERY_MS);
  }
}

function loopFiles(): string[] {
  const files: string[] = [];
  for (const { name } of Deno.readDirSync("/sys/block")) {
    if (!name.startsWith("loop")) continue;
    try {
      files.push(Deno.readTextFileSync(`/sys/block/${name}/loop/backing_file`).trimEnd());
    } catch {
      // A device without a file.
    }
  }
  return files;
}

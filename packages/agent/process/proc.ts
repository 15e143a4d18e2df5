const decoder = new TextDecoder();

export interface TaskInfo {
  pid: number;
  parent: number;
  session: number;
  threads: number;
  residentBytes: number;
}

const PAGE_BYTES = 4096;

/** One process as /proc tells of it, or undefined when there is none. */
export function readTask(pid: number): TaskInfo | undefined {
  let text: string;
  try {
    text = Deno.readTextFileSync(`/proc/${pid}/stat`);
  } catch {
    return undefined;
  }
  // The command's name, in parentheses, may contain anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  if (state === "Z" || state === "X") return undefined;
  return {
    pid,
    parent: Number(fields[1]),
    session: Number(fields[3]),
    threads: Number(fields[17]),
    residentBytes: Number(fields[21]) * PAGE_BYTES,
  };
}

export function listPids(): number[] {
  const pids: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    const pid = Number(name);
    if (Number.isInteger(pid)) pids.push(pid);
  }
  return pids;
}

/** What a process has in memory that is in no file; undefined when that cannot be told. */
export function anonymousBytes(pid: number): number | undefined {
  for (const name of ["smaps_rollup", "smaps"]) {
    try {
      const fields = Deno.readTextFileSync(`/proc/${pid}/${name}`).matchAll(/^Anonymous: +(\d+)/gm);
      return [...fields].reduce((sum, [, kilobytes]) => sum + Number(kilobytes) * 1024, 0);
    } catch {
      // Not every kernel has the short one, and the process may be gone.
    }
  }
  return undefined;
}

export function listTasks(): TaskInfo[] {
  return listPids().map(readTask).filter((task) => task !== undefined);
}

/** A file of /proc that is read again and again: opened once, which is what costs. */
export class ProcFile {
  #file: Deno.FsFile;
  #buffer = new Uint8Array(16 * 1024);

  constructor(path: string) {
    this.#file = Deno.openSync(path);
  }

  read(): string {
    this.#file.seekSync(0, Deno.SeekMode.Start);
    let filled = 0;
    while (true) {
      const read = this.#file.readSync(this.#buffer.subarray(filled));
      if (read === null) break;
      filled += read;
      if (filled < this.#buffer.length) continue;
      const larger = new Uint8Array(this.#buffer.length * 2);
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    return decoder.decode(this.#buffer.subarray(0, filled));
  }

  close(): void {
    this.#file.close();
  }
}

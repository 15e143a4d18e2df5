import type { Log } from "@paddock/driver";
import type { LimitValues } from "@paddock/protocol";
import { withDeadline } from "./_deadline.ts";
import { removeTree } from "./_sandbox_resources.ts";

/** What a file takes on the disk at least, however little is in it. */
const BLOCK_BYTES = 4096;
const WRITE_DEADLINE_MS = 5_000;
const PRUNE_EVERY_MS = 10 * 60_000;
/** Between an organisation and an id in a file's name: an id has none, and an encoded name neither. */
const SEPARATOR = "~~";

interface Kept {
  file: string;
  organization: string;
  bytes: number;
  endedAt: number;
}

export type EndedLogLimits = Pick<LimitValues, "logBytes" | "endedLogBytes" | "endedLogKeptMs">;

/**
 * The consoles of sandboxes that have ended, for a while: whoever lost one wants to know why. Each
 * organisation has room of its own, so that a busy one does not push out another's.
 */
export class EndedLogs {
  readonly #directory: string;
  readonly #limits: EndedLogLimits;
  readonly #log: Log;
  readonly #now: () => number;
  /** By the sandbox's id, the one that ended first at the front. */
  readonly #kept = new Map<string, Kept>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(directory: string, limits: EndedLogLimits, log: Log, now: () => number = Date.now) {
    this.#directory = directory;
    this.#limits = limits;
    this.#log = log;
    this.#now = now;
  }

  /** Finds what an earlier engine of this data directory kept. */
  async open(): Promise<void> {
    await Deno.mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const found: [string, Kept][] = [];
    for await (const { name } of Deno.readDir(this.#directory)) {
      const [organization, id] = name.split(SEPARATOR);
      if (id === undefined) continue;
      const file = `${this.#directory}/${name}`;
      const { size, mtime } = await Deno.stat(file);
      const bytes = Math.max(size, BLOCK_BYTES);
      found.push([id, { file, organization, bytes, endedAt: mtime?.getTime() ?? 0 }]);
    }
    for (const [id, kept] of found.sort(([, a], [, b]) => a.endedAt - b.endedAt)) {
      this.#kept.set(id, kept);
    }
    await this.#prune();
    this.#timer = setInterval(() => void this.#prune(), PRUNE_EVERY_MS);
  }

  /** Never rejects: a log that cannot be kept is no reason for a sandbox not to end. */
  async keep(organizationId: string, id: string, text: string): Promise<void> {
    const organization = encodeURIComponent(organizationId).replaceAll("~", "%7E");
    const file = `${this.#directory}/${organization}${SEPARATOR}${id}`;
    const bytes = new TextEncoder().encode(text).slice(-this.#limits.logBytes);
    try {
      await withDeadline(
        "keeping a log",
        WRITE_DEADLINE_MS,
        () => Deno.writeFile(file, bytes, { mode: 0o600 }),
      );
      const size = Math.max(bytes.length, BLOCK_BYTES);
      this.#kept.set(id, { file, organization, bytes: size, endedAt: this.#now() });
    } catch (error) {
      this.#log.warn("an ended sandbox's log is lost", { sandbox: id, error: String(error) });
    }
    await this.#prune();
  }

  /** Undefined when it is not kept, or no longer. */
  async read(id: string): Promise<string | undefined> {
    const kept = this.#kept.get(id);
    if (!kept || this.#isOld(kept)) return undefined;
    return await Deno.readTextFile(kept.file).catch(() => undefined);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #isOld({ endedAt }: Kept): boolean {
    return endedAt < this.#now() - this.#limits.endedLogKeptMs;
  }

  async #prune(): Promise<void> {
    const surplus = new Map<string, number>();
    for (const { organization, bytes } of this.#kept.values()) {
      const before = surplus.get(organization) ?? -this.#limits.endedLogBytes;
      surplus.set(organization, before + bytes);
    }
    for (const [id, kept] of [...this.#kept]) {
      const over = surplus.get(kept.organization)!;
      if (over <= 0 && !this.#isOld(kept)) continue;
      surplus.set(kept.organization, over - kept.bytes);
      this.#kept.delete(id);
      await removeTree(kept.file).catch((error) => {
        this.#log.warn("an old log could not be removed", {
          file: kept.file,
          error: String(error),
        });
      });
    }
  }
}

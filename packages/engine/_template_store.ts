import { type Log, syncTree } from "@paddock/driver";
import { type CheckpointFile, describeFiles, findDamage } from "./checkpoint_files.ts";
import type { Template } from "./_template.ts";

const MANIFEST = "template.json";
const MACHINE = "machine";
const BUILDING = ".building-";
/** After a build that failed the next one waits, longer each time. */
const FIRST_RETRY_MS = 5_000;
const LONGEST_RETRY_MS = 10 * 60_000;

interface Manifest {
  token: string;
  files: CheckpointFile[];
}

interface Entry {
  template?: Template;
  building?: Promise<void>;
  failures: number;
  retryAt: number;
}

export interface TemplateStoreOptions {
  directory: string;
  keyOf(memoryBytes: number): Promise<string>;
  build(memoryBytes: number, directory: string, signal: AbortSignal): Promise<{ token: string }>;
  /** How many are kept; the one that was used longest ago makes room. */
  most: number;
  buildMs: number;
  log: Log;
}

/**
 * The templates of a node, one for each kind of machine that was asked for. One is published by a
 * rename once it is complete and on the disk, and checked against its digests before it is first
 * used. Building is done in the background, one at a time: who finds none boots a machine instead.
 */
export class TemplateStore {
  readonly #options: TemplateStoreOptions;
  /** In the order of their last use, the latest at the end. */
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new AbortController();
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: TemplateStoreOptions) {
    this.#options = options;
  }

  /** Removes what was never completed. Nothing that was restored from a template may run. */
  async open(): Promise<void> {
    const { directory } = this.#options;
    await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
    for await (const { name } of Deno.readDir(directory)) {
      if (name.startsWith(BUILDING)) await removeTree(`${directory}/${name}`);
    }
  }

  /** The template for machines of this size, if there is one by now; else it is seen to. */
  async find(memoryBytes: number): Promise<Template | undefined> {
    const key = await this.#options.keyOf(memoryBytes);
    const entry = this.#entries.get(key) ?? { failures: 0, retryAt: 0 };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (entry.template) return entry.template;
    if (!entry.building && Date.now() >= entry.retryAt && !this.#closing.signal.aborted) {
      entry.building = this.#queue.then(() => this.#provide(key, entry, memoryBytes))
        .finally(() => entry.building = undefined);
      this.#queue = entry.building;
    }
  }

  /** Settles when nothing is being built. */
  async settled(): Promise<void> {
    let waited: Promise<unknown> | undefined;
    while (waited !== this.#queue) {
      waited = this.#queue;
      await waited;
    }
  }

  /** A template that could not be used is made anew. */
  async discard(template: Template): Promise<void> {
    const entry = this.#entries.get(template.key);
    if (!entry || entry.template !== template) return;
    entry.template = undefined;
    this.#delay(entry);
    // Machines that were restored from it may have its files open; the name is free for the next.
    const { directory } = this.#options;
    const aside = `${directory}/${BUILDING}${crypto.randomUUID()}`;
    await Deno.rename(`${directory}/${template.key}`, aside).catch(() => {});
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the engine closes"));
    await this.#queue;
  }

  async #provide(key: string, entry: Entry, memoryBytes: number): Promise<void> {
    const { log, buildMs } = this.#options;
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(buildMs)]);
    try {
      entry.template = await this.#load(key, signal) ?? await this.#build(key, memoryBytes, signal);
      entry.failures = 0;
      await this.#makeRoom();
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#delay(entry);
      log.warn("no template could be made: sandboxes boot instead of being restored", {
        error: String(error),
        cause: error instanceof Error && error.cause ? String(error.cause) : undefined,
        retryInMs: entry.retryAt - Date.now(),
      });
    }
  }

  /** One that an earlier daemon made. */
  async #load(key: string, signal: AbortSignal): Promise<Template | undefined> {
    const directory = `${this.#options.directory}/${key}`;
    let manifest: Manifest;
    try {
      manifest = JSON.parse(await Deno.readTextFile(`${directory}/${MANIFEST}`));
    } catch {
      await removeTree(directory);
      return undefined;
    }
    const damage = await findDamage(`${directory}/${MACHINE}`, manifest.files, signal);
    if (damage === undefined) {
      return { key, directory: `${directory}/${MACHINE}`, token: manifest.token, users: 0 };
    }
    this.#options.log.warn("a template is damaged and is made anew", { template: key, damage });
    await removeTree(directory);
  }

  async #build(key: string, memoryBytes: number, signal: AbortSignal): Promise<Template> {
    const { directory, build, log } = this.#options;
    const started = performance.now();
    const unfinished = `${directory}/${BUILDING}${key}`;
    await removeTree(unfinished);
    await Deno.mkdir(unfinished, { mode: 0o700 });
    try {
      const { token } = await build(memoryBytes, `${unfinished}/${MACHINE}`, signal);
      const files = await describeFiles(`${unfinished}/${MACHINE}`, signal);
      const manifest: Manifest = { token, files };
      await Deno.writeTextFile(`${unfinished}/${MANIFEST}`, JSON.stringify(manifest), {
        mode: 0o600,
      });
      await syncTree(unfinished);
      await Deno.rename(unfinished, `${directory}/${key}`);
      log.info("template made", {
        template: key,
        bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
        ms: Math.round(performance.now() - started),
      });
      return { key, directory: `${directory}/${key}/${MACHINE}`, token, users: 0 };
    } catch (error) {
      await removeTree(unfinished);
      throw error;
    }
  }

  /** Removes what is too much, and what earlier versions of image, driver or settings left. */
  async #makeRoom(): Promise<void> {
    const { directory, most } = this.#options;
    let tooMany = [...this.#entries.values()].filter(({ template }) => template).length - most;
    for (const [key, { template }] of this.#entries) {
      if (tooMany <= 0) break;
      if (!template || template.users > 0) continue;
      this.#entries.delete(key);
      tooMany--;
    }
    for await (const { name } of Deno.readDir(directory)) {
      if (!name.startsWith(BUILDING) && !this.#entries.has(name)) {
        await removeTree(`${directory}/${name}`);
      }
    }
  }

  #delay(entry: Entry): void {
    entry.failures++;
    entry.retryAt = Date.now() +
      Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (entry.failures - 1));
  }
}

async function removeTree(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

import { createVolumeImage, type MachineImage } from "@paddock/driver";
import { VolumeFiles } from "./_volume_files.ts";

/**
 * The guest image as a filesystem, for bootable volumes to be copied from: made of the image's files
 * when the first one is asked for, which takes seconds, and kept while this image is the node's.
 */
export class BaseImage {
  readonly #files: VolumeFiles;
  readonly #image: MachineImage;
  readonly #bytes: number;
  #making: Promise<string> | undefined;

  constructor(directory: string, image: MachineImage, bytes: number) {
    this.#files = new VolumeFiles(directory);
    this.#image = image;
    this.#bytes = bytes;
  }

  get #name(): string {
    return `${this.#image.digest}-${this.#bytes}`;
  }

  /** Removes those of other images, and what was half made. */
  async open(): Promise<void> {
    await this.#files.open();
    await this.#files.removeUnfinished();
    for (const name of await this.#files.list()) {
      if (name !== this.#name) await this.#files.remove(name);
    }
  }

  /** Its path. It goes on when one of those who wait for it gives up. */
  get(signal: AbortSignal): Promise<string> {
    this.#making ??= this.#make().finally(() => this.#making = undefined);
    return untilAborted(this.#making, signal);
  }

  async close(): Promise<void> {
    await this.#making?.catch(() => {});
  }

  async #make(): Promise<string> {
    const [name, files] = [this.#name, this.#files];
    if (files.has(name)) return files.image(name);
    try {
      await createVolumeImage(files.unfinished(name), this.#bytes, {
        owner: { uid: 0, gid: 0 },
        contents: this.#image.rootfs,
      });
      await files.publish(name);
    } catch (error) {
      await files.remove(name);
      throw error;
    }
    return files.image(name);
  }
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

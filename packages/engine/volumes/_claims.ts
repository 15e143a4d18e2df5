import { PaddockError } from "@paddock/protocol";

/**
 * Who uses which volume at this moment. One may have it alone, or several may read it; nobody waits:
 * who comes late is told who was first.
 */
export class Claims {
  readonly #writers = new Map<string, string>();
  readonly #readers = new Map<string, string[]>();

  /** Throws VOLUME_IN_USE. `user` is a sandbox's id, or what is being done with it. */
  alone(volume: { id: string; slug: string }, user: string): Disposable {
    const other = this.#writers.get(volume.id) ?? this.#readers.get(volume.id)?.[0];
    if (other !== undefined) throw inUse(volume.slug, other);
    this.#writers.set(volume.id, user);
    return { [Symbol.dispose]: () => void this.#writers.delete(volume.id) };
  }

  /** Throws VOLUME_IN_USE. */
  reading(volume: { id: string; slug: string }, user: string): Disposable {
    const writer = this.#writers.get(volume.id);
    if (writer !== undefined) throw inUse(volume.slug, writer);
    this.#readers.set(volume.id, [...this.#readers.get(volume.id) ?? [], user]);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        const left = [...this.#readers.get(volume.id) ?? []];
        left.splice(left.indexOf(user), 1);
        if (left.length === 0) this.#readers.delete(volume.id);
        else this.#readers.set(volume.id, left);
      },
    };
  }
}

function inUse(slug: string, user: string): PaddockError {
  const sandbox = user.startsWith("sbx_");
  return new PaddockError("VOLUME_IN_USE", {
    message: sandbox
      ? `"${slug}" is in use by the sandbox ${user}.`
      : `"${slug}" is in use: ${user}. Try again shortly.`,
    ...(sandbox ? { details: { sandboxId: user } } : {}),
  });
}

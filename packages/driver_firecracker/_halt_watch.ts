/**
 * Firecracker has no power to switch off: a guest that switches itself off stands still, and its
 * machine with it. The kernel says so in the last line that it prints.
 */
const HALTED = /\] reboot: (?:System halted|Power down)\s*$/;
const TAIL_CHARACTERS = 200;
/** A guest that prints the line without standing still prints something after it, or soon enough. */
const QUIET_MS = 500;

/** Calls back when a guest's console has ended with the kernel's last words. */
export class HaltWatch implements Disposable {
  /** Called some time after the last word. */
  onHalt: () => void = () => {};
  readonly #decoder = new TextDecoder();
  #tail = "";
  #timer: ReturnType<typeof setTimeout> | undefined;

  see(chunk: Uint8Array): void {
    clearTimeout(this.#timer);
    const text = this.#decoder.decode(chunk.subarray(-TAIL_CHARACTERS), { stream: true });
    this.#tail = (this.#tail + text).slice(-TAIL_CHARACTERS);
    if (HALTED.test(this.#tail)) this.#timer = setTimeout(() => this.onHalt(), QUIET_MS);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

const TILDE = 0x7e;
const DOT = 0x2e;
const LINE_ENDS = [0x0d, 0x0a];

/**
 * Finds `~.` at the start of a line in what is typed, as OpenSSH's client does: the way out when
 * nothing else answers. `~~` there types one tilde.
 */
export class EscapeKeys {
  #atLineStart = true;
  #tilde = false;

  /** What is to be typed, and whether the way out was taken after it. */
  filter(typed: Uint8Array): { typed: Uint8Array<ArrayBuffer>; leave: boolean } {
    const passed: number[] = [];
    for (const byte of typed) {
      if (this.#tilde) {
        this.#tilde = false;
        if (byte === DOT) return { typed: Uint8Array.from(passed), leave: true };
        passed.push(TILDE);
        this.#atLineStart = false;
        if (byte === TILDE) continue;
      } else if (byte === TILDE && this.#atLineStart) {
        this.#tilde = true;
        continue;
      }
      passed.push(byte);
      this.#atLineStart = LINE_ENDS.includes(byte);
    }
    return { typed: Uint8Array.from(passed), leave: false };
  }
}

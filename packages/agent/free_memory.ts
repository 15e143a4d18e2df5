type Collector = (options?: { type: "major"; flavor: "last-resort" }) => void;

const globals = globalThis as { gc?: Collector };
/** There when the program was started with `--v8-flags=--expose-gc`. */
const collect = globals.gc;
// It cannot be deleted.
globals.gc = undefined;

/** Gives back what starting up has left behind: in an idle sandbox it would stay for good. */
export function freeMemory(): void {
  collect?.({ type: "major", flavor: "last-resort" });
}

type Collector = (options?: { type: "major"; flavor: "last-resort" }) => void;

const globals = globalThis as { gc?: Collector };
/** There when the program was started with `--v8-flags=--expose-gc`. */
const collect = globals.gc;
// It cannot be deleted.
globals.gc = undefined;

/**
 * Gives back what starting up, or work that is over, has left behind: in an idle sandbox it would stay
 * for good. The C library keeps pages that are free, all but the last ones, until it is asked for them.
 */
export function freeMemory(): void {
  collect?.({ type: "major", flavor: "last-resort" });
  const libc = Deno.dlopen("libc.so.6", {
    malloc_trim: { parameters: ["usize"], result: "i32" },
  });
  libc.symbols.malloc_trim(0n);
  libc.close();
}

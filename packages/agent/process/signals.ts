/** Linux's signals, by number less one. */
const NAMES = (
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP " +
  "TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
).split(" ").map((name) => `SIG${name}`) as Deno.Signal[];

/** A signal's name, checked; a TypeError names one that does not exist. */
export function signalNamed(name: string): Deno.Signal {
  if (!NAMES.includes(name as Deno.Signal)) {
    throw new TypeError(`Invalid signal: ${name.slice(0, 40)}`);
  }
  return name as Deno.Signal;
}

export function signalNumbered(number: number): Deno.Signal | undefined {
  return NAMES[number - 1];
}

/** 0 for none. */
export function numberOfSignal(name: string | null): number {
  return NAMES.indexOf(name as Deno.Signal) + 1;
}

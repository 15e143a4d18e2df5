const CHARACTERS = 4_000;

/**
 * How a Go program that dies by itself begins what it says; the stacks of its goroutines follow. What runsc
 * said before may have no end of line.
 */
const DIES = /(?<=^|\})(?:panic: |fatal error: |SIG[A-Z]+: )/gm;

/**
 * What explains a machine's end in what it wrote: the end of that, unless its sentry panicked. A panic
 * gives its reason first, and then more stacks than anybody keeps.
 */
export function lastWords(console: string): string {
  const panic = [...console.matchAll(DIES)].at(-1);
  return panic === undefined
    ? console.slice(-CHARACTERS)
    : console.slice(panic.index, panic.index + CHARACTERS);
}

import type { AroundStandstill } from "./engine.ts";

/** Of what can be checkpointed, the part that begins it. */
interface Writable {
  checkpoint(
    directory: string,
    signal: AbortSignal,
    around: AroundStandstill,
  ): Promise<{ token: string }>;
}

/**
 * Resolves when a checkpoint is really being made: what goes on from it may get ready meanwhile. Rejects
 * when it is refused; a failure after that is `written`'s.
 */
export async function beginCheckpoint(
  sandbox: Writable,
  { directory, around = (work) => work() }: { directory: string; around?: AroundStandstill },
  signal: AbortSignal,
): Promise<{ written: Promise<{ token: string }> }> {
  const begun = Promise.withResolvers<void>();
  const written = sandbox.checkpoint(directory, signal, (work) =>
    around(() => {
      begun.resolve();
      return work();
    }));
  written.catch(() => {});
  await Promise.race([begun.promise, written]);
  return { written };
}

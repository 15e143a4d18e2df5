import { sleep } from "@paddock/driver";
import { PaddockError } from "@paddock/protocol";
import { beginCheckpoint } from "./begin_checkpoint.ts";
import type { ForkDirectories } from "./_fork_directories.ts";
import { isPassingRestoreFailure } from "./machine_died.ts";
import type { Sandbox } from "./_sandbox.ts";
import type { RestoreSource } from "./restore_source.ts";
import type { ForkRequest, RunningSandbox, SandboxSpec } from "./engine.ts";

/** One for each processor: restoring more at once makes each of them slower and the host no faster. */
const AT_ONCE = Math.min(8, Math.max(2, navigator.hardwareConcurrency));
const AHEAD = Math.max(1, navigator.hardwareConcurrency - 1);
const ATTEMPTS = 3;
const BETWEEN_ATTEMPTS_MS = 300;

export interface Fork {
  original: Sandbox;
  request: ForkRequest;
  directories: ForkDirectories;
  /** Resolves when the sandbox runs; when it fails, it is gone. */
  create(
    spec: SandboxSpec,
    source: RestoreSource,
    signal: AbortSignal,
  ): Promise<RunningSandbox>;
}

/** One checkpoint, and as many sandboxes that go on from it. */
export async function forkSandbox(fork: Fork, signal: AbortSignal): Promise<RunningSandbox[]> {
  for (let attempt = 1;; attempt++) {
    try {
      return await forkOnce(fork, signal);
    } catch (error) {
      // What kept the machine from being restored was under way in it, and is over soon.
      if (attempt === ATTEMPTS || !isPassingRestoreFailure(error)) throw error;
      await sleep(BETWEEN_ATTEMPTS_MS, signal);
    }
  }
}

async function forkOnce(
  { original, request, directories, create }: Fork,
  signal: AbortSignal,
): Promise<RunningSandbox[]> {
  const { spec, driver } = original;
  const directory = directories.next();
  // One that fails is the end of all: nobody waits for the others.
  const giveUp = new AbortController();
  const wanted = AbortSignal.any([signal, giveUp.signal]);
  let failed: { number?: number; error: unknown } | undefined;
  const fail = (error: unknown, number?: number) => {
    failed ??= { number, error };
    giveUp.abort(error);
  };
  // What is refused is refused before any copy exists.
  const { written } = await beginCheckpoint(
    original,
    { directory, around: request.around },
    wanted,
  );
  // This call counts as a user, so that the directory outlasts the first copies.
  const source: RestoreSource = {
    ...{ directory, written, token: original.agent.token, users: 1 },
    ...(original.image && { image: original.image }),
    unused: () => Promise.resolve(directories.remove(directory)),
  };
  // Copies that begin later find it whole.
  written.then(() => delete source.written, fail);
  const running: RunningSandbox[] = [];
  let next = 1;
  const restorer = async () => {
    while (next <= request.count && !failed) {
      const number = next++;
      try {
        const copy = await create(
          {
            id: request.newId(),
            organizationId: spec.organizationId,
            region: spec.region,
            stopAt: request.stopAt,
            memoryBytes: spec.memoryBytes,
            labels: request.labels,
            ...{ driver, parent: spec.id, template: spec.template },
            pauseAfterIdleMs: spec.pauseAfterIdleMs,
          },
          source,
          wanted,
        );
        running.push(copy);
        request.made?.(copy);
      } catch (error) {
        fail(error, number);
      }
    }
  };
  try {
    const restorers = Array.from({ length: AT_ONCE }, async (_, index) => {
      // Some get ready while the original stands still, and leave it a processor to be written with.
      if (index >= AHEAD) await written;
      await restorer();
    });
    await Promise.allSettled([written, ...restorers]);
    if (!failed) return running;
    await Promise.all(running.map((sandbox) => sandbox.kill("create_failed")));
    const { number, error } = failed;
    if (request.count === 1 || number === undefined) throw error;
    const known = PaddockError.from(error, "RESTORE_FAILED");
    throw new PaddockError(known.code, {
      message: `Fork ${number} of ${request.count} failed, so none was made: ${known.message}`,
      cause: known.cause ?? known,
    });
  } finally {
    source.users--;
    // What no copy has mapped takes the room of a disk for nothing.
    if (source.users === 0 || !original.traits.diskInCheckpoint) directories.remove(directory);
  }
}

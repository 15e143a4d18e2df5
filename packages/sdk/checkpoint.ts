import { waits } from "./_defaults.ts";
import { type BaseClientOptions, resolveTarget } from "./endpoint.ts";
import { restAll, restFind, restRequest, type Target } from "./rest.ts";

/** A sandbox as it was at one moment. `Sandbox.create({ checkpoint })` goes on from there. */
export interface Checkpoint {
  id: string;
  name: string | null;
  region: string;
  /** The sandbox it is a checkpoint of, and the labels it had. */
  sandboxId: string;
  labels: Record<string, string>;
  driver: string;
  memoryMb: number;
  /** What it takes up. */
  bytes: number;
  createdAt: Date;
}

/** Options for `sandbox.checkpoint`. */
export interface CheckpointOptions {
  /** Unique in the organisation: 2 to 32 of a-z, 0-9 and hyphens. Left out: it has its id alone. */
  name?: string;
  /** Gives up when it aborts; then there is no checkpoint. */
  signal?: AbortSignal;
}

/** The checkpoints of an organisation. */
export interface Checkpoints {
  /** Newest first. */
  list(): Promise<Checkpoint[]>;
  /** `null` when there is none of that id or name. */
  get(idOrName: string): Promise<Checkpoint | null>;
  /** Sandboxes that were made from it live on. */
  delete(idOrName: string): Promise<void>;
}

const PATH = "/api/v3/checkpoints";

export function createCheckpoints(options: BaseClientOptions): Checkpoints {
  const one = (idOrName: string) => `${PATH}/${encodeURIComponent(idOrName)}`;
  return {
    async list() {
      const target = await resolveTarget(options, undefined);
      return (await restAll<Info>(target, PATH)).map(fromInfo);
    },
    async get(idOrName) {
      const target = await resolveTarget(options, undefined);
      const info = await restFind<Info>(target, one(idOrName), "CHECKPOINT_NOT_FOUND");
      return info && fromInfo(info);
    },
    async delete(idOrName) {
      const target = await resolveTarget(options, undefined);
      await restRequest(target, { method: "DELETE", path: one(idOrName) });
    },
  };
}

/** @internal */
export async function checkpointSandbox(
  { target, sandboxId }: { target: Target; sandboxId: string },
  { name, signal }: CheckpointOptions,
): Promise<Checkpoint> {
  return fromInfo(
    await restRequest(target, {
      method: "POST",
      path: `/api/v3/sandbox/${sandboxId}/checkpoint`,
      body: { name },
      deadlineMs: waits.forkMs,
      signal,
    }),
  );
}

type Info = Omit<Checkpoint, "createdAt"> & { createdAt: string };

function fromInfo(info: Info): Checkpoint {
  return { ...info, createdAt: new Date(info.createdAt) };
}

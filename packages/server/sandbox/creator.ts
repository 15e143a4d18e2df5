import {
  newSandboxId,
  PaddockError,
  type Region,
  resolveRegion,
  type SandboxConfig,
} from "@paddock/protocol";
import type {
  Engine,
  ForkRequest,
  NewSandbox,
  RunningSandbox,
  StoredCheckpoint,
} from "@paddock/engine";
import type { CheckpointRecords } from "../store/checkpoints.ts";
import type { Sandboxes } from "../store/sandboxes.ts";
import type { VolumeRecords } from "../store/volumes.ts";
import { Gate } from "./gate.ts";
import { resolveVolumes } from "./resolve_volumes.ts";

const MiB = 1024 * 1024;

export interface CreateRequest {
  organizationId: string;
  config: SandboxConfig;
  /** The region that the host name of the request means, if any. */
  hostRegion?: string;
  alias?: string;
}

export interface CreatorOptions {
  engine: Engine;
  sandboxes: Sandboxes;
  volumes: VolumeRecords;
  checkpoints: CheckpointRecords;
  regions: readonly Region[];
  limits: { createsInFlight: number; sandboxesPerOrganization: number };
}

/** Turns a checked configuration into a running sandbox, a few at a time. */
export class Creator {
  readonly #options: CreatorOptions;
  readonly #gate: Gate;
  /** Organisation → sandboxes asked for that the engine does not list yet. */
  readonly #pending = new Map<string, number>();

  constructor(options: CreatorOptions) {
    this.#options = options;
    this.#gate = new Gate(options.limits.createsInFlight);
  }

  async create(request: CreateRequest, signal: AbortSignal): Promise<RunningSandbox> {
    const { sandboxes, regions } = this.#options;
    const { organizationId, config, alias } = request;
    refuseWhatIsToCome(config);
    const checkpoint = this.#findCheckpoint(organizationId, config);
    const { region: volumesRegion, ...volumes } = resolveVolumes(
      config,
      organizationId,
      this.#options.volumes,
    );
    // Clients say the region in the host name, which a server of one address does not hear: then it is
    // where the volumes are.
    const region = resolveRegion(
      config.region ?? request.hostRegion ?? volumesRegion ?? checkpoint?.region,
      regions,
    );
    if (volumesRegion !== undefined && volumesRegion !== region.code) {
      throw new PaddockError("INVALID_CONFIG", {
        field: "region",
        message:
          `region: the volumes are in ${volumesRegion}, the sandbox would be in ${region.code}`,
      });
    }
    if (alias !== undefined && await sandboxes.find(organizationId, alias)) {
      throw new PaddockError("SANDBOX_ALREADY_EXISTS", { field: "sandbox_id" });
    }
    using _place = this.#takePlace(organizationId);
    using _key = await this.#gate.enter(signal);
    // Who asks for one of a name has to know which record is the own one, when there are two.
    const id = alias === undefined ? undefined : newSandboxId(region.code);
    const spec: NewSandbox = {
      ...(id !== undefined && { id }),
      organizationId,
      region: region.code,
      stopAt: config.stopAt,
      memoryBytes: config.memoryMb * MiB,
      labels: config.labels,
      ...(checkpoint && { checkpoint: checkpoint.id }),
      ...(config.template && { ...ofTemplate(config.template, checkpoint!) }),
      ...(alias === undefined ? {} : { alias }),
      env: config.env,
      ...(config.driver === undefined ? {} : { driver: config.driver }),
      ...(config.pauseAfterIdleMs !== undefined && { pauseAfterIdleMs: config.pauseAfterIdleMs }),
      ...volumes,
    };
    const sandbox = await this.#createFrom(spec, request, signal).catch(async (error) => {
      // Of two that ask for one name at once, the records let the first in.
      const named = alias && await sandboxes.find(organizationId, alias);
      if (!named || named.id === id) throw error;
      throw new PaddockError("SANDBOX_ALREADY_EXISTS", { field: "sandbox_id", cause: error });
    });
    if (!signal.aborted) return sandbox;
    await sandbox.kill("session_closed");
    throw signal.reason;
  }

  /** A template may make way for its successor between being looked up and being used. */
  async #createFrom(
    spec: NewSandbox,
    { organizationId, config }: CreateRequest,
    signal: AbortSignal,
  ): Promise<RunningSandbox> {
    const { engine } = this.#options;
    try {
      return await engine.create(spec, signal);
    } catch (error) {
      const gone = error instanceof PaddockError && error.code === "CHECKPOINT_NOT_FOUND";
      if (!gone || !config.template) throw error;
      const successor = this.#findCheckpoint(organizationId, config)!;
      const own = { checkpoint: successor.id, ...ofTemplate(config.template, successor) };
      return await engine.create({ ...spec, ...own }, signal);
    }
  }

  /** What the sandbox is to go on from. One of another organisation looks like one that does not exist. */
  #findCheckpoint(organizationId: string, { checkpoint, template }: SandboxConfig) {
    const [kind, reference] = template
      ? ["template" as const, template.reference]
      : ["checkpoint" as const, checkpoint];
    if (reference === undefined) return undefined;
    const record = this.#options.checkpoints.find(organizationId, kind, reference);
    if (record) return record;
    const code = template ? "TEMPLATE_NOT_FOUND" : "CHECKPOINT_NOT_FOUND";
    throw new PaddockError(code, { field: kind });
  }

  async fork(
    original: RunningSandbox,
    request: ForkRequest,
    signal: AbortSignal,
  ): Promise<RunningSandbox[]> {
    using _places = this.#takePlace(original.spec.organizationId, request.count);
    using _key = await this.#gate.enter(signal);
    const forks = await this.#options.engine.fork(original.spec.id, request, signal);
    if (!signal.aborted) return forks;
    await Promise.all(forks.map((sandbox) => sandbox.kill("session_closed")));
    throw signal.reason;
  }

  #takePlace(organizationId: string, places = 1): Disposable {
    const { engine, limits } = this.#options;
    const pending = this.#pending.get(organizationId) ?? 0;
    const alive =
      engine.list().filter(({ spec, state }) =>
        spec.organizationId === organizationId && state === "running"
      ).length;
    const max = limits.sandboxesPerOrganization;
    if (alive + pending + places > max) {
      throw new PaddockError("TOO_MANY_SANDBOXES", {
        message: `The organisation has as many sandboxes as it may have: ${max}.`,
        details: { limit: "sandboxesPerOrganization", max },
      });
    }
    this.#pending.set(organizationId, pending + places);
    return {
      [Symbol.dispose]: () => {
        const left = this.#pending.get(organizationId)! - places;
        if (left === 0) this.#pending.delete(organizationId);
        else this.#pending.set(organizationId, left);
      },
    };
  }
}

function ofTemplate(
  { memoryMb }: { memoryMb: number | undefined },
  { name, memoryBytes }: StoredCheckpoint,
): Pick<NewSandbox, "template" | "memoryBytes"> {
  return { template: name!, memoryBytes: memoryMb === undefined ? memoryBytes : memoryMb * MiB };
}

/** A sandbox without what was asked for could be a leak: refusing is the only honest answer. */
function refuseWhatIsToCome(config: SandboxConfig): void {
  const field = config.allowNet !== undefined
    ? "allow_net"
    : Object.keys(config.secrets).length > 0
    ? "secrets"
    : undefined;
  if (field === undefined) return;
  throw new PaddockError("NOT_SUPPORTED_YET", {
    message: `${field}: this Paddock cannot do that yet, so no sandbox was created.`,
    field,
  });
}

import {
  newSandboxId,
  PaddockError,
  type Region,
  resolveRegion,
  type SandboxConfig,
} from "@paddock/protocol";
import type { Engine, RunningSandbox } from "@paddock/engine";
import type { Sandboxes } from "../store/sandboxes.ts";
import { Gate } from "./gate.ts";

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
    const { engine, sandboxes, regions } = this.#options;
    const { organizationId, config, alias } = request;
    refuseWhatIsToCome(config);
    const region = resolveRegion(config.region ?? request.hostRegion, regions);
    if (alias !== undefined && await sandboxes.find(organizationId, alias)) {
      throw new PaddockError("SANDBOX_ALREADY_EXISTS", { field: "sandbox_id" });
    }
    using _place = this.#takePlace(organizationId);
    using _key = await this.#gate.enter(signal);
    const id = newSandboxId(region.code);
    const sandbox = await engine.create({
      id,
      organizationId,
      region: region.code,
      stopAt: config.stopAt,
      memoryBytes: config.memoryMb * MiB,
      labels: config.labels,
      ...(alias === undefined ? {} : { alias }),
      env: config.env,
    }, signal).catch(async (error) => {
      // Of two that ask for one name at once, the records let the first in.
      const named = alias && await sandboxes.find(organizationId, alias);
      if (!named || named.id === id) throw error;
      throw new PaddockError("SANDBOX_ALREADY_EXISTS", { field: "sandbox_id", cause: error });
    });
    if (!signal.aborted) return sandbox;
    await sandbox.kill("session_closed");
    throw signal.reason;
  }

  #takePlace(organizationId: string): Disposable {
    const { engine, limits } = this.#options;
    const pending = this.#pending.get(organizationId) ?? 0;
    const alive =
      engine.list().filter(({ spec, state }) =>
        spec.organizationId === organizationId && state === "running"
      ).length;
    const max = limits.sandboxesPerOrganization;
    if (alive + pending >= max) {
      throw new PaddockError("TOO_MANY_SANDBOXES", {
        message: `The organisation has as many sandboxes as it may have: ${max}.`,
        details: { limit: "sandboxesPerOrganization", max },
      });
    }
    this.#pending.set(organizationId, pending + 1);
    return {
      [Symbol.dispose]: () => {
        const left = this.#pending.get(organizationId)! - 1;
        if (left === 0) this.#pending.delete(organizationId);
        else this.#pending.set(organizationId, left);
      },
    };
  }
}

/** A sandbox without what was asked for could be a leak: refusing is the only honest answer. */
function refuseWhatIsToCome(config: SandboxConfig): void {
  const field = config.root !== undefined
    ? "root"
    : config.volumes.length > 0
    ? "volumes"
    : config.allowNet !== undefined
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

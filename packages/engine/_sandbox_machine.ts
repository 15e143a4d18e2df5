import type { MachineExit, MachineImage } from "@paddock/driver";
import { waitForAgent } from "./_agent_ready.ts";
import { newAgentToken } from "./_agent_token.ts";
import type { AgentAddress } from "./_ask_agent.ts";
import { isRestoreFailure } from "./_create_failure.ts";
import { timeoutAfter } from "./_deadline.ts";
import type { DriverRoom } from "./_driver_rooms.ts";
import { guestIdentity } from "./_guest_identity.ts";
import { AGENT_PORT, guestInit } from "./_guest_init.ts";
import { identifyGuest } from "./_identify_guest.ts";
import { knowsItself } from "./_knows_itself.ts";
import { newMachineId } from "./_machine_id.ts";
import type { PooledMachine } from "./_pooled_machine.ts";
import { restoreDeadlineMs } from "./_restore_deadline.ts";
import { type EngineParts, type MachineInPlace, startMachine } from "./_sandbox_resources.ts";
import type { TemplateStore } from "./_template_store.ts";
import type { Greeting, Origin, SandboxSpec } from "./engine.ts";
import { MachineDied } from "./machine_died.ts";
import type { RestoreSource } from "./restore_source.ts";
import { hasVolumes, needsColdLaunch } from "./volumes/cold_launch.ts";

export interface StartedMachine {
  place: MachineInPlace;
  /** Aborted when the machine ends. */
  died: AbortSignal;
}

/**
 * The machine of a sandbox, one at a time, and all that it has on the host. Where the first one comes from, the
 * first that can be had:
 *
 *     a machine that waited  →  a restore of the node's template  →  a boot
 *     a machine that waited  →  a restore of the checkpoint that the sandbox goes on from
 *
 * A paused sandbox has none.
 */
export class SandboxMachine {
  readonly #spec: SandboxSpec;
  readonly #parts: EngineParts;
  readonly #templates: TemplateStore | undefined;
  readonly #source: RestoreSource | undefined;
  readonly #pooled: PooledMachine | undefined;
  /** Told of the end of the machine that is the sandbox's at that moment. */
  readonly #onExit: (exit: MachineExit) => void;
  readonly #token: string;
  /** Stays as it is while the sandbox lives, whatever machine it has. */
  readonly #machineId: string;
  #stack = new AsyncDisposableStack();
  #place: MachineInPlace | undefined;
  #image: MachineImage | undefined;
  #origin: Origin | undefined;

  constructor(
    spec: SandboxSpec,
    { parts, templates }: Pick<DriverRoom, "parts" | "templates">,
    { source, pooled, onExit }: {
      source?: RestoreSource;
      pooled?: PooledMachine;
      onExit: (exit: MachineExit) => void;
    },
  ) {
    this.#spec = spec;
    this.#parts = parts;
    this.#templates = templates;
    this.#source = source;
    this.#pooled = pooled;
    this.#onExit = onExit;
    this.#image = source?.image;
    this.#token = pooled?.token ?? newAgentToken();
    this.#machineId = pooled?.machineId ?? newMachineId();
  }

  /** Undefined while there is none. */
  get place(): MachineInPlace | undefined {
    return this.#place;
  }

  /** Of the first one. */
  get origin(): Origin | undefined {
    return this.#origin;
  }

  /** It goes on from a checkpoint that was asked for. */
  get goesOn(): boolean {
    return this.#source !== undefined;
  }

  /** The image it was checkpointed with, where that is another than the node's present one. */
  get image(): MachineImage | undefined {
    return this.#image;
  }

  get agent(): AgentAddress {
    return {
      host: this.#place?.slot.guestAddress ?? "",
      port: AGENT_PORT,
      token: this.#token,
    };
  }

  takeGreeting(): Greeting | undefined {
    const greeting = this.#pooled?.greeting;
    delete this.#pooled?.greeting;
    return greeting;
  }

  /** Resolves when the agent answers, as the sandbox it is of. */
  async start(signal: AbortSignal): Promise<StartedMachine> {
    const { limits, driver } = this.#parts;
    const source = this.#source;
    const within = source ? limits.restoreMs : limits.agentStartMs;
    const deadline = timeoutAfter(source?.written, within + (driver.traits.slowBootMs ?? 0));
    const wanted = AbortSignal.any([signal, deadline]);
    if (needsColdLaunch(this.#spec) && !source) return await this.#boot(wanted);
    const waited = await this.#adopt(wanted);
    if (waited) return waited;
    if (source) return await this.goOn(source, wanted);
    return await this.#restore(wanted) ?? await this.#boot(wanted);
  }

  /** From a checkpoint of a sandbox there is no other way: a machine that boots would be empty. */
  async goOn(source: RestoreSource, wanted: AbortSignal, resumed = false): Promise<StartedMachine> {
    this.#image = source.image ?? this.#image;
    const started = await this.#launch(wanted, source);
    await this.#identify(started, source.token, wanted, resumed);
    await started.place.letGoOfSource();
    this.#origin = "restored";
    return started;
  }

  /** It has none then. */
  async giveUp(): Promise<void> {
    const stack = this.#stack;
    this.#stack = new AsyncDisposableStack();
    this.#place = undefined;
    await stack.disposeAsync();
  }

  /** For good. What it printed can still be read. */
  async end(): Promise<void> {
    await this.#stack.disposeAsync();
  }

  /** A machine that waits in the pool, made this sandbox's. */
  async #adopt(wanted: AbortSignal): Promise<StartedMachine | undefined> {
    const pooled = this.#pooled;
    if (!pooled) return undefined;
    this.#stack.use(pooled.stack);
    const { place } = pooled;
    const died = this.#watch(place);
    try {
      AbortSignal.any([wanted, pooled.died]).throwIfAborted();
      if (!knowsItself(pooled, this.#spec, this.#parts.driver.traits)) {
        const deadline = AbortSignal.timeout(restoreDeadlineMs(this.#parts));
        const identity = () => ({ ...this.#identity(place), stage: "prepared" as const });
        await identifyGuest(this.agent, identity, AbortSignal.any([wanted, died, deadline]));
      }
      this.#origin = "pooled";
      return { place, died };
    } catch (error) {
      await this.#startOver("taken from the pool", error, wanted);
    }
  }

  async #boot(wanted: AbortSignal): Promise<StartedMachine> {
    const started = await this.#launch(wanted);
    await waitForAgent(this.agent, AbortSignal.any([wanted, started.died]));
    this.#origin = "booted";
    return started;
  }

  /** Undefined when that failed for a reason of the template's or the driver's: then it is booted. */
  async #restore(wanted: AbortSignal): Promise<StartedMachine | undefined> {
    const template = await this.#templates?.find(this.#spec.memoryBytes);
    if (!template) return undefined;
    const deadline = AbortSignal.timeout(restoreDeadlineMs(this.#parts));
    const within = AbortSignal.any([wanted, deadline]);
    try {
      const started = await this.#launch(within, template);
      await this.#identify(started, template.token, within);
      this.#origin = "restored";
      return started;
    } catch (error) {
      await this.#startOver("restored from its template", error, wanted);
      await this.#templates?.discard(template);
    }
  }

  /** Gives up on a machine that did not become this sandbox's, and is ready for another. */
  async #startOver(what: string, error: unknown, wanted: AbortSignal): Promise<void> {
    // What is no failure of the restore is one of the next attempt as well.
    if (wanted.aborted || !isRestoreFailure(error)) throw error;
    this.#parts.log.warn(`a sandbox could not be ${what}: it is tried in another way`, {
      sandbox: this.#spec.id,
      error: String(error),
      cause: error instanceof Error && error.cause ? String(error.cause) : undefined,
    });
    await this.giveUp();
  }

  async #launch(wanted: AbortSignal, source?: RestoreSource): Promise<StartedMachine> {
    const { limits, image } = this.#parts;
    const agent = { port: AGENT_PORT, token: this.#token };
    const { id, memoryBytes } = this.#spec;
    const guest = { ...this.#spec, machineId: this.#machineId };
    const place = await startMachine(
      this.#parts,
      {
        ...{ id, memoryBytes, source },
        ...(hasVolumes(this.#spec) && { attach: this.#spec }),
        init: () => guestInit(guest, image, agent, limits),
      },
      this.#stack,
      wanted,
    );
    return { place, died: this.#watch(place) };
  }

  #watch(place: MachineInPlace): AbortSignal {
    this.#place = place;
    const died = new AbortController();
    place.machine.exited.then((exit) => {
      died.abort(new MachineDied(exit));
      if (this.#place === place) this.#onExit(exit);
    });
    return died.signal;
  }

  /** `token` is what its agent demands until then. */
  async #identify(
    { place, died }: StartedMachine,
    token: string,
    wanted: AbortSignal,
    resumed = false,
  ): Promise<void> {
    await identifyGuest(
      { ...this.agent, token },
      () => this.#identity(place, resumed),
      AbortSignal.any([wanted, died]),
    );
  }

  #identity({ slot }: MachineInPlace, resumed = false) {
    const { env = {} } = this.#spec;
    const more = Object.keys(env).length > 0 ? { moreEnv: env } : {};
    const envs = resumed ? {} : this.#source ? more : { env };
    return guestIdentity(this.#spec, {
      ...{ slot, envs, parts: this.#parts, token: this.#token, machineId: this.#machineId },
    });
  }
}

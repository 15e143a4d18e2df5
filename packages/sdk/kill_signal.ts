import type { Signal } from "./child_process_types.ts";

export type KillSignalListener = (signal: Signal) => void;

/** Signals after which a command counts as aborted, with their numbers. */
const fatalSignals: Partial<Record<Signal, number>> = {
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGTERM: 15,
};

const constructorKey = Symbol("KillSignal");

interface KillState {
  exitCode: number | undefined;
  listeners: Set<KillSignalListener>;
}

function deliver(state: KillState, signal: Signal): void {
  const number = fatalSignals[signal];
  if (number !== undefined) state.exitCode = 128 + number;
  for (const listener of [...state.listeners]) listener(signal);
}

/** Like `AbortSignal`, for process signals: what a `KillController` sends, commands receive. */
export class KillSignal {
  readonly #state: KillState;

  /** @internal */
  constructor(key: symbol, state: KillState) {
    if (key !== constructorKey) {
      throw new TypeError("KillSignal cannot be constructed; use `new KillController().signal`");
    }
    this.#state = state;
  }

  /** Whether SIGTERM, SIGKILL, SIGABRT, SIGQUIT or SIGINT was ever sent. */
  get aborted(): boolean {
    return this.#state.exitCode !== undefined;
  }

  /** 128 + the number of the signal that aborted it. */
  get abortedExitCode(): number | undefined {
    return this.#state.exitCode;
  }

  /** Passes every signal on to `child`, until unsubscribed. */
  linkChild(child: KillSignal): { unsubscribe(): void } {
    const listener: KillSignalListener = (signal) => deliver(child.#state, signal);
    this.addListener(listener);
    return { unsubscribe: () => this.removeListener(listener) };
  }

  addListener(listener: KillSignalListener): void {
    this.#state.listeners.add(listener);
  }

  /** Call this for long-lived signals, or they keep their listeners alive. */
  removeListener(listener: KillSignalListener): void {
    this.#state.listeners.delete(listener);
  }
}

/**
 * Like `AbortController`, for process signals.
 *
 * ```ts
 * const controller = new KillController();
 * const running = sandbox.sh`sleep 60`.signal(controller.signal).noThrow();
 * setTimeout(() => controller.kill("SIGINT"), 1000);
 * const { status } = await running; // status.code === 130
 * ```
 */
export class KillController {
  readonly #state: KillState = { exitCode: undefined, listeners: new Set() };
  readonly #signal: KillSignal = new KillSignal(constructorKey, this.#state);

  get signal(): KillSignal {
    return this.#signal;
  }

  /** Sends a signal to every command that was started with this controller's signal. */
  kill(signal: Signal = "SIGTERM"): void {
    deliver(this.#state, signal);
  }
}

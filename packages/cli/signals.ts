import process from "node:process";

export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGQUIT";

/**
 * Calls `listener` for each signal a person or program sends. A terminal's Ctrl-C reaches this
 * process twice (from the terminal and from the Node launcher), so the same signal within a
 * quarter of a second counts once.
 */
export function onSignals(
  signals: readonly StopSignal[],
  listener: (signal: StopSignal) => void,
): Disposable {
  const last = new Map<StopSignal, number>();
  const handlers = signals.map((signal) => {
    const handler = () => {
      const now = performance.now();
      if (now - (last.get(signal) ?? -Infinity) < 250) return;
      last.set(signal, now);
      listener(signal);
    };
    process.on(signal, handler);
    return [signal, handler] as const;
  });
  return {
    [Symbol.dispose]() {
      for (const [signal, handler] of handlers) process.off(signal, handler);
    },
  };
}

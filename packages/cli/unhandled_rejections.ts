import type { Log } from "@paddock/server";

export const UNHANDLED = "a promise was rejected that nothing waits for: a mistake in Paddock";

/** Such a mistake ends no daemon: with it would end every sandbox of this host. */
export function logUnhandledRejections(log: Log): Disposable {
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    const { reason } = event;
    log.error(UNHANDLED, { error: (reason instanceof Error && reason.stack) || String(reason) });
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  return {
    [Symbol.dispose]: () => globalThis.removeEventListener("unhandledrejection", onRejection),
  };
}

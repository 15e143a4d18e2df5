/** The stream, cancelled and failing with the signal's reason when it aborts. */
export function abortableStream(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  signal: AbortSignal | undefined,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  if (!signal) return stream;
  const reader = stream.getReader();
  let onAbort: () => void;
  const settle = () => signal.removeEventListener("abort", onAbort);
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      onAbort = () => {
        controller.error(signal.reason);
        reader.cancel(signal.reason).catch(() => {});
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
    },
    async pull(controller) {
      try {
        const { value, done } = await reader.read();
        if (signal.aborted) return;
        if (!done) return controller.enqueue(value);
        settle();
        controller.close();
      } catch (error) {
        settle();
        if (!signal.aborted) controller.error(error);
      }
    },
    cancel(reason) {
      settle();
      return reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

const encoder = new TextEncoder();

/**
 * Entries as a stream of JSON, one line and one chunk each: the published clients parse every chunk
 * on its own.
 */
export function entryStream(entries: AsyncGenerator<unknown>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await entries.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
    },
    async cancel() {
      await entries.return(undefined);
    },
  }, { highWaterMark: 0 });
}

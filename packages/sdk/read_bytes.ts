/** Sizes come from the sandbox: beyond this they are believed only as far as bytes arrive. */
const trustedSize = 64 * 1024 * 1024;

/** Everything a stream gives, in one array; with a size that is right, without a copy of the whole. */
export async function readAllBytes(
  stream: ReadableStream<Uint8Array>,
  expectedSize = 0,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader();
  let whole = new Uint8Array(Math.min(expectedSize, trustedSize));
  const rest: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  while (true) {
    const { value, done } = await reader.read();
    if (done) break;
    if (rest.length === 0 && length + value.length <= whole.length) whole.set(value, length);
    else {
      if (rest.length === 0) whole = whole.subarray(0, length);
      rest.push(value as Uint8Array<ArrayBuffer>);
    }
    length += value.length;
  }
  if (rest.length === 0) return length === whole.length ? whole : whole.slice(0, length);
  if (rest.length === 1 && whole.length === 0) return rest[0];
  const all = new Uint8Array(length);
  all.set(whole);
  let at = whole.length;
  for (const chunk of rest) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/**
 * Takes out of a machine's console what QEMU says about each page that a balloon returns: it may not
 * discard pages of a file that others have mapped as well, and says so thousands of times.
 */
const NOTICE = /qemu[^:\n]*: ram_block_discard_range: [^\n]*\n/g;
/** What no notice is longer than. */
const MAX_NOTICE = 200;

export function withoutNotices(): TransformStream<Uint8Array, Uint8Array> {
  // Byte for byte: a character that is cut in two by a chunk's end must stay what it is.
  let held = "";
  const emit = (text: string, to: TransformStreamDefaultController<Uint8Array>) => {
    if (text !== "") to.enqueue(Uint8Array.from(text, (character) => character.charCodeAt(0)));
  };
  return new TransformStream({
    transform(chunk, to) {
      const text = (held + latin1(chunk)).replace(NOTICE, "");
      // The end of a chunk may be the beginning of a notice, or of its first word.
      const open = /(?:qemu[^\n]*|qem|qe|q)$/.exec(text.slice(-MAX_NOTICE))?.[0] ?? "";
      held = open;
      emit(text.slice(0, text.length - open.length), to);
    },
    flush: (to) => emit(held, to),
  });
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8_192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8_192));
  }
  return text;
}

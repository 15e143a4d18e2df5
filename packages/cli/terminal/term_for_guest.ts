/** The terminals that a guest's Debian describes; of others it knows nothing, not even their size. */
const KNOWN = new Set([
  "ansi",
  "dumb",
  "linux",
  "rxvt",
  "screen",
  "screen-256color",
  "tmux",
  "tmux-256color",
  "vt100",
  "vt102",
  "vt220",
  "xterm",
  "xterm-256color",
  "xterm-color",
  "xterm-mono",
]);

/** What a guest is told about the terminal here: terminals of our day all understand xterm's. */
export function termForGuest(term: string | undefined): string {
  return term !== undefined && KNOWN.has(term) ? term : "xterm-256color";
}

// On a terminal: one line that is drawn over. On a pipe: a line whenever what is being done changes.
// Nothing at all is written for a step that had nothing to do.

const width = 24;
const quietForMs = 250;

export function createProgress(out) {
  const terminal = Boolean(out.isTTY) && process.env.TERM !== "dumb";
  let drawn = false;
  const clear = () => {
    if (drawn) out.write("\r\x1b[2K");
    drawn = false;
  };
  const say = (line) => {
    clear();
    out.write(`${line}\n`);
  };
  const step = (name) => {
    const started = Date.now();
    let last = { percent: undefined, what: undefined };
    const draw = () => {
      const { percent, what } = last;
      if (what === undefined) return;
      const filled = Math.round(((percent ?? 0) / 100) * width);
      const bar = "█".repeat(filled) + "░".repeat(width - filled);
      const elapsed = `${Math.round((Date.now() - started) / 1000)} s`;
      const line = `${bar} ${name}: ${what} · ${elapsed}`;
      clear();
      out.write(line.slice(0, (out.columns ?? 80) - 1));
      drawn = true;
    };
    const ticker = terminal ? setInterval(draw, quietForMs) : undefined;
    ticker?.unref();
    return {
      say,
      update(percent, what) {
        const changed = what !== last.what;
        last = { percent, what };
        if (terminal) draw();
        else if (changed) out.write(`${name}: ${what}\n`);
      },
      end() {
        clearInterval(ticker);
        clear();
        if (last.what !== undefined) {
          say(`${name}: done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
        }
      },
    };
  };
  return { step, say, close: clear };
}

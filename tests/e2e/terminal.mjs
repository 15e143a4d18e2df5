// Sits in a terminal of the sandbox that it is given; prints what it saw as JSON.
import process from "node:process";
import { Sandbox } from "@paddock/sandbox";

const sandbox = await Sandbox.connect(process.argv[2]);
const seen = {};

/** Reads what is shown until a pattern is in it. */
function reader(terminal) {
  const decoder = new TextDecoder();
  const stream = terminal.output.getReader();
  let shown = "";
  return {
    async until(pattern) {
      while (true) {
        const match = pattern.exec(shown);
        if (match) {
          shown = shown.slice(match.index + match[0].length);
          return match[1] ?? match[0];
        }
        const { value, done } = await stream.read();
        if (done) throw new Error(`it ended without ${pattern}: ${JSON.stringify(shown)}`);
        shown += decoder.decode(value, { stream: true });
      }
    },
    async rest() {
      for (let part = await stream.read(); !part.done; part = await stream.read()) {
        shown += decoder.decode(part.value, { stream: true });
      }
      return shown;
    },
  };
}

const PS1 = "ready> ";
{
  const terminal = await sandbox.terminal({
    command: "bash",
    args: ["--norc"],
    columns: 90,
    rows: 25,
    env: { PS1, A: "ä 1" },
  });
  const screen = reader(terminal);
  const prompt = /ready> /;
  await screen.until(prompt);
  await terminal.write('tty; stty size; echo "$TERM $A $PWD $(id -un)"\r');
  seen.tty = await screen.until(/(\/dev\/pts\/\d+)\r\n/);
  seen.size = await screen.until(/(\d+ \d+)\r\n/);
  seen.environment = await screen.until(/(xterm.*)\r\n/);

  await screen.until(prompt);
  await terminal.write("trap 'echo size $(stty size)' WINCH\r");
  await screen.until(prompt);
  await terminal.resize(120, 40);
  seen.resized = await screen.until(/size (\d+ \d+)\r\n/);
  await terminal.write("\r");

  // Half a line, and a whole one ahead: neither is left for the shell.
  await screen.until(prompt);
  await terminal.write("sh -c 'echo started; exec cat'\r");
  await screen.until(/started\r\n/);
  await terminal.write("half a line");
  await screen.until(/half a line/);
  await terminal.write("\x03");
  await screen.until(prompt);
  await terminal.write("sh -c 'echo started; exec sleep 1000'\r");
  await screen.until(/started\r\n/);
  await terminal.write("echo typed ahead\r\x03");
  await screen.until(prompt);
  await terminal.write("echo code $?\r");
  seen.interrupted = await screen.until(/code (\d+)\r\n/);

  await screen.until(prompt);
  await terminal.write("sh -c 'echo started; exec sleep 1000'\r");
  await screen.until(/started\r\n/);
  await terminal.write("\x1a");
  seen.stopped = await screen.until(/Stopped +sh -c/).then(() => true);
  await screen.until(prompt);
  await terminal.write("fg\r");
  await screen.until(/exec sleep 1000'\r\n/);
  await terminal.write("\x1c");
  seen.quit = await screen.until(/Quit/).then(() => true);

  await screen.until(prompt);
  await terminal.write("stty -a | grep -oE 'iutf8| icanon | echo ' | tr -d '\\n'\r");
  seen.modes = await screen.until(/iutf8 icanon {2}echo /).then(() => true);
  await terminal.write("\rexit 7\r");
  await screen.rest();
  seen.status = await terminal.status;
  await terminal.resize(10, 10);
}

{
  // What is written last arrives, all of it, also when nobody reads for a while.
  const terminal = await sandbox.terminal({ command: "seq", args: ["20000"] });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const lines = (await reader(terminal).rest()).trim().split("\r\n");
  seen.lines = [lines.length, lines.at(-1)];
}

{
  const terminal = await sandbox.terminal({ command: "cat", columns: 1, rows: 65535 });
  const screen = reader(terminal);
  await terminal.write("a\n\x04");
  seen.endOfInput = await screen.rest();
}

{
  // A leader that ends does not wait for those it leaves behind.
  const terminal = await sandbox.terminal({
    command: "sh",
    args: ["-c", "sleep 1000 & echo left"],
  });
  seen.leftBehind = await reader(terminal).rest();
}

{
  // Whoever is hung up on and has something to save has time for it.
  const script = "trap 'echo saved > saved; exit 3' HUP; echo waits; while :; do sleep 0.1; done";
  const terminal = await sandbox.terminal({ command: "bash", args: ["-c", script] });
  await reader(terminal).until(/waits/);
  await terminal[Symbol.asyncDispose]();
  seen.hungUp = [(await terminal.status).code, await sandbox.readTextFile("saved")];
}

{
  const terminal = await sandbox.terminal({ command: "sleep", args: ["1001"] });
  await terminal.output.cancel();
  seen.cancelled = (await terminal.status).signal;
}

{
  const controller = new AbortController();
  const terminal = await sandbox.terminal({
    command: "sleep",
    args: ["1002"],
    signal: controller.signal,
  });
  controller.abort();
  seen.aborted = (await terminal.status).signal;
}

const refusal = (promise) =>
  promise.then(() => "none", (error) => `${error.name}: ${error.message}`);
seen.refusals = {
  noColumns: await refusal(sandbox.terminal({ columns: 0 })),
  tooManyRows: await refusal(sandbox.terminal({ rows: 65536 })),
  noProgram: await refusal(sandbox.terminal({ command: "nonesuch" })),
  noDirectory: await refusal(sandbox.terminal({ cwd: "/nonesuch" })),
};
seen.processes = (await sandbox.sh("pgrep -af 'sleep 10' | grep -v pgrep; true").text()).trim();
await sandbox.close();
console.log(JSON.stringify(seen));

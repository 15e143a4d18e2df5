// Shows: a shell in a terminal, driven as a web page's terminal would: typed into, resized, interrupted.
import { Sandbox } from "@paddock/sandbox";

await using sandbox = await Sandbox.create();
await using terminal = await sandbox.terminal({ columns: 80, rows: 24, env: { PS1: "ready> " } });

// A page would hand this to xterm.js; here it is searched for what the program waits for.
const output = terminal.output.pipeThrough(new TextDecoderStream()).getReader();
let screen = "";
async function until(pattern: RegExp): Promise<string> {
  while (true) {
    const match = pattern.exec(screen);
    if (match) {
      screen = screen.slice(match.index + match[0].length);
      return match[1];
    }
    const { value, done } = await output.read();
    if (done) throw new Error(`the terminal ended before ${pattern}`);
    screen += value;
  }
}

await terminal.write("stty size\n");
console.log("lines and columns:", await until(/(\d+ \d+)\r\n/));

await terminal.resize(120, 40);
await terminal.write("stty size\n");
console.log("after a resize:", await until(/(\d+ \d+)\r\n/));

await terminal.write("sh -c 'echo it runs; exec sleep 1000'\n");
await until(/^it runs\r\n/m);
await terminal.write("\x03");
await terminal.write('echo "interrupted with $?"\n');
console.log("after Ctrl-C:", await until(/(interrupted with \d+)\r\n/));

await terminal.write("exit 7\n");
console.log("the shell ended with code", (await terminal.status).code);

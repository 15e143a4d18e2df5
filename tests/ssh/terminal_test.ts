import assert from "node:assert/strict";
import { guestShell } from "../../packages/engine/testing/guest_shell.ts";
import { run, startSshBench, until } from "./ssh_bench.ts";

/** Runs `ssh` in a terminal of the host, resizes it half-way, and prints what the terminal showed. */
const IN_TERMINAL = `
import fcntl, os, pty, select, signal, struct, sys, termios, time
def size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
size(fd, 33, 101)
shown = b""
def until(text, there=None):
    global shown
    deadline = time.time() + 20
    while not (there() if there else text in shown):
        if time.time() > deadline:
            sys.stdout.write(shown.decode(errors="replace")); sys.exit("no " + repr(text))
        if select.select([fd], [], [], 0.2)[0]:
            try: shown += os.read(fd, 65536)
            except OSError: break
def type(line):
    # As a person does: what is typed while a command still runs may be its input.
    until(b"$ ", lambda: shown.rstrip(b"\x1b[?2004h").endswith(b"$ "))
    os.write(fd, line + b"\\r")
type(b"echo size-$(stty size | tr ' ' x)")
until(b"size-33x101")
size(fd, 44, 132)
os.kill(pid, signal.SIGWINCH)
time.sleep(0.3)
type(b"echo size-$(stty size | tr ' ' x)")
until(b"size-44x132")
# The job says itself that it runs: before it has the terminal, Ctrl-C is the shell's.
type(b"sh -c 'echo now-$((2+2)); exec sleep 1000'")
until(b"now-4")
os.write(fd, b"\\x03")
type(b"echo after-$?")
until(b"after-130")
type(b"echo $TERM > term; echo now-$((1+1)); cat > typed; echo done-$((1+1))")
until(b"now-2")
os.write(fd, b"by hand\\r\\x04")
until(b"done-2")
type(b"exit 9")
until(b"logout")
while True:
    try:
        if not os.read(fd, 65536): break
    except OSError: break
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

Deno.test("terminals over SSH", async (t) => {
  await using bench = await startSshBench();
  const { ssh, sandbox, user, port, sshOptions, directory } = bench;

  await t.step(
    "a shell in a real terminal: size, resizing, Ctrl-C, Ctrl-D, exit status",
    async () => {
      const script = `${directory}/in_terminal.py`;
      await Deno.writeTextFile(script, IN_TERMINAL);
      const { code, stdout, stderr } = await run("env", [
        ...["TERM=screen", "python3", script],
        ...["ssh", ...sshOptions, "-p", String(port), `${user}@127.0.0.1`],
      ]);
      assert.equal(code, 9, `${stdout}\n${stderr}`);
      assert.equal(await guestShell(sandbox, "cat typed term"), "by hand\nscreen\n");
    },
  );

  await t.step("a command with a terminal has one stream, and its exit status", async () => {
    const { code, stdout, stderr } = await ssh("tty; echo oops >&2; exit 6", { options: ["-tt"] });
    assert.equal(code, 6);
    assert.match(stdout, /^\/dev\/pts\/\d+\r\noops\r\n$/);
    assert.equal(stderr, "");
  });

  await t.step("a program that draws: its colours and keys arrive as they are", async () => {
    const { stdout } = await ssh("printf '\\033[31mred\\033[0m'; head -c 4 | od -An -tx1", {
      options: ["-tt", "-e", "none"],
      stdin: "\x1b[A\n",
    });
    assert.ok(stdout.includes("\x1b[31mred\x1b[0m"));
    assert.match(stdout, /1b 5b 41 0a/);
  });

  await t.step("much output through a terminal arrives whole", async () => {
    const { stdout } = await ssh("seq 1 200000", { options: ["-tt"] });
    assert.ok(stdout === Array.from({ length: 200_000 }, (_, i) => `${i + 1}\r\n`).join(""));
  });

  await t.step("a terminal that goes away takes its shell and jobs along", async () => {
    const aborter = new AbortController();
    const left = ssh("", {
      options: ["-tt"],
      stdin: neverEnding("sleep 3219 &\nsleep 3219\n"),
      signal: aborter.signal,
    });
    const sleeping = async () => (await guestShell(sandbox, "pgrep -c -x sleep")).trim();
    await until(async () => await sleeping() === "2");
    aborter.abort();
    await left.catch(() => {});
    await until(async () => await sleeping() === "0");
    assert.equal((await guestShell(sandbox, "pgrep -c -f '^/bin/bash -l'")).trim(), "0");
  });

  assert.deepEqual(bench.logged, []);
});

function neverEnding(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode(text)),
  });
}

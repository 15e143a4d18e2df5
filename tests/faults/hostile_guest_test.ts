import assert from "node:assert/strict";
import { Sandbox } from "@paddock/sandbox";
import { delay, startServer, type TestServer, until } from "../harness.ts";

interface Abuse {
  name: string;
  /** Run as user `sandbox` in the victim, for at most `seconds`. */
  command: string;
  seconds: number;
  /** What may become of the victim; `alive`: the sandbox and its agent go on. */
  may: ("alive" | "out_of_memory" | "guest_exited" | "crashed")[];
}

const abuses: Abuse[] = [
  {
    name: "fork bomb",
    command: "b() { b | b & }; b",
    seconds: 6,
    // gVisor's sentry needs a thread for each of the guest's and dies when the host gives no more.
    may: ["alive", "crashed"],
  },
  {
    name: "memory hog",
    command: `python3 -c "l = []\nwhile True: l.append(bytearray(b'x') * 8000000)"`,
    seconds: 20,
    may: ["alive", "out_of_memory"],
  },
  {
    name: "memory through /dev/shm and /tmp",
    command: "for d in /dev/shm /tmp; do head -c 2G /dev/zero > $d/fill; done",
    seconds: 40,
    may: ["alive", "out_of_memory"],
  },
  {
    name: "kill -9 -1 as the sandbox user",
    command: "kill -9 -1; sleep 1",
    seconds: 5,
    may: ["alive"],
  },
  {
    name: "kill -9 -1 as root",
    command: "sudo bash -c 'kill -9 -1'; sleep 1",
    seconds: 5,
    may: ["alive", "guest_exited", "crashed"],
  },
  {
    name: "kill -9 1 as root",
    command: "sudo kill -9 1; sleep 1",
    seconds: 5,
    may: ["alive", "guest_exited", "crashed"],
  },
  {
    name: "everything deleted by root",
    command: "sudo rm -rf --no-preserve-root /usr /etc /opt /home",
    seconds: 20,
    // Nothing can be started any more; that the agent answers is what counts here.
    may: ["alive"],
  },
  {
    name: "all file descriptors, all ports",
    command:
      `python3 -c "import socket, time\nl = []\nwhile True:\n try: s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); l.append(s)\n except OSError: time.sleep(0.1)"`,
    seconds: 4,
    may: ["alive"],
  },
  {
    name: "a command that shouts at both outputs and nobody listens",
    command: "yes shouting & yes shouting >&2",
    seconds: 5,
    may: ["alive"],
  },
];

Deno.test("a hostile guest hurts nobody but itself", async (t) => {
  await using server = await startServer();
  const options = { endpoint: server.api, token: server.token };
  await using neighbour = await Sandbox.create({ ...options, timeout: "20m" });
  await neighbour.fs.writeTextFile("mine.txt", "neighbour");

  for (const abuse of abuses) {
    await t.step(abuse.name, async () => {
      const victim = await Sandbox.create({ ...options, timeout: "5m" });
      const id = victim.id;
      try {
        const child = await victim.spawn("bash", {
          ...{ args: ["-c", abuse.command], stdin: "null", stdout: "piped", stderr: "piped" },
        });
        const done = Promise.resolve(child.status).catch(() => {});
        const end = Date.now() + abuse.seconds * 1000;
        let slowest = 0;
        while (Date.now() < end) {
          const started = Date.now();
          assert.equal(await neighbour.fs.readTextFile("mine.txt"), "neighbour");
          slowest = Math.max(slowest, Date.now() - started);
          const finished = await Promise.race([done.then(() => true), delay(200)]);
          if (finished) break;
        }
        assert.ok(slowest < 5000, `the neighbour had to wait ${slowest} ms`);
        const fate = await fateOf(victim, server, id);
        console.log(`    ${abuse.name}: ${fate}; neighbour's slowest answer ${slowest} ms`);
        assert.ok((abuse.may as string[]).includes(fate), `it is ${fate}`);
        assert.equal(await neighbour.sh`echo fine`.text(), "fine\n");
        assert.equal((await fetch(`${server.api}/health`)).status, 200);
      } finally {
        await victim.kill().catch(() => {});
        await victim.close().catch(() => {});
      }
      await until("its teardown", 20_000, async () => await stateOf(server, id) === "stopped");
    });
  }
});

Deno.test("a full disk is the sandbox's own", async () => {
  await using server = await startServer({
    env: { PADDOCK_LIMITS_DISK_BYTES: String(256 * 1024 * 1024) },
  });
  const options = { endpoint: server.api, token: server.token };
  await using neighbour = await Sandbox.create(options);
  await using victim = await Sandbox.create(options);
  const filled = await victim.sh`dd if=/dev/zero of=/home/sandbox/fill bs=1M count=1000`
    .stdout("piped").stderr("piped").noThrow();
  assert.notEqual(filled.status.code, 0);
  assert.match(filled.stderrText!, /No space left on device/);
  await assert.rejects(victim.fs.writeFile("more", new Uint8Array(1024 * 1024)), /[Nn]o space/);
  assert.equal(await victim.sh`rm fill && echo freed > after && cat after`.text(), "freed\n");
  assert.equal(await neighbour.sh`dd if=/dev/zero of=n bs=1M count=50 && echo ok`.text(), "ok\n");
});

/** Holds as many connections to the agent as it gets, without a word, and replaces those it loses. */
const silentCrowd = `
import select, socket, time
held = []
waited = time.monotonic()
while True:
    lost = set(select.select(held, [], [], 0)[0])
    held = [s for s in held if s not in lost]
    try:
        while len(held) < 400: held.append(socket.create_connection(("127.0.0.1", 4270), 1))
    except OSError:
        pass
    if time.monotonic() - waited > 1:
        print("crowded", flush=True)
        waited = time.monotonic()
    time.sleep(0.005)
`;

Deno.test("guest programs at the agent's door keep nobody else from it", async () => {
  await using server = await startServer();
  const options = { endpoint: server.api, token: server.token };
  await using victim = await Sandbox.create({ ...options, timeout: "2m" });
  const crowd = await victim.spawn("python3", {
    ...{ args: ["-c", silentCrowd], stdin: "null", stdout: "piped" },
  });
  const reader = crowd.stdout!.getReader();
  assert.match(new TextDecoder().decode((await reader.read()).value), /crowded/);
  for (let time = 0; time < 5; time++) {
    await using late = await Sandbox.connect({ ...options, id: victim.id });
    assert.equal(await late.sh`echo in`.text(), "in\n");
  }
  await crowd.kill("SIGKILL");
  await crowd.status;
});

/** Alive when the agent still answers; otherwise how the record says it ended. */
async function fateOf(victim: Sandbox, server: TestServer, id: string): Promise<string> {
  const answers = victim.env.toObject().then(() => true, () => false);
  if (await Promise.race([answers, delay(15_000).then(() => false)])) return "alive";
  await until(
    "the end of the sandbox",
    20_000,
    async () => await stateOf(server, id) === "stopped",
  );
  return (await recordOf(server, id)).endReason ?? "no reason";
}

async function recordOf(
  server: TestServer,
  id: string,
): Promise<{ status: string; endReason: string | null }> {
  const response = await fetch(`${server.api}/api/v3/sandbox/${id}`, {
    headers: { authorization: `Bearer ${server.token}` },
  });
  return await response.json();
}

async function stateOf(server: TestServer, id: string): Promise<string> {
  return (await recordOf(server, id)).status;
}

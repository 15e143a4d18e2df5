import { strict as assert } from "node:assert";
import { networkInterfaces } from "node:os";
import { ensureImage } from "../../images/build_image.ts";
import type { RunningSandbox } from "./engine.ts";
import { sandboxSpec, startBench } from "./testing/engine_bench.ts";
import { guestShell } from "./testing/guest_shell.ts";

const IMAGE_DIR = "/var/lib/paddock";
const create = () => AbortSignal.timeout(60_000);

/** Whether a TCP connection from the guest is taken; prints the error's name when it is not. */
function dial(sandbox: RunningSandbox, host: string, port: number): Promise<string> {
  const program = `
import socket
s = socket.socket(); s.settimeout(3)
try:
    s.connect(("${host}", ${port})); print("connected")
except Exception as e:
    print(type(e).__name__, e)
`;
  return guestShell(sandbox, `python3 - <<'END'\n${program}END`);
}

Deno.test("a guest reaches the world, and neither the host nor what is private", async () => {
  const { digest, rootfs, manifest } = await ensureImage({ dataDir: IMAGE_DIR, trust: "host" });
  const image = { digest, rootfs, env: manifest.env };
  // Not even a range that is allowed leads to another sandbox.
  const network = { allowPrivate: ["10.192.0.0/11"] };
  await using bench = await startBench({ image, network });
  await using beside = await startBench({ image });
  const [one, two, other] = await Promise.all([
    bench.engine.create(sandboxSpec(), create()),
    bench.engine.create(sandboxSpec(), create()),
    beside.engine.create(sandboxSpec(), create()),
  ]);
  using listener = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  const { port } = listener.addr;
  const accepted: string[] = [];
  (async () => {
    for await (const connection of listener) {
      accepted.push(connection.remoteAddr.hostname);
      connection.close();
    }
  })().catch(() => {});

  const own = await dial(one, "127.0.0.1", one.agent.port);
  assert.match(own, /^connected/, "the probe can connect at all");

  const gateway = one.agent.host.replace(/\d+$/, (last) => String(Number(last) - 1));
  const hostAddresses = Object.values(networkInterfaces()).flat()
    .filter((address) => address?.family === "IPv4" && !address.internal)
    .map((address) => address!.address);
  for (const address of new Set([gateway, ...hostAddresses])) {
    assert.doesNotMatch(await dial(one, address, port), /^connected/, `the host at ${address}`);
  }
  assert.deepEqual(accepted, []);
  for (const address of [two.agent.host, other.agent.host]) {
    assert.doesNotMatch(await dial(one, address, one.agent.port), /^connected/, "another sandbox");
  }
  for (
    const address of ["169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1"]
  ) {
    const refused = await dial(one, address, 80);
    assert.match(refused, /^ConnectionRefusedError/, `${address}: ${refused}`);
  }
});

Deno.test("a guest cannot send with another sandbox's address", async () => {
  const { digest, rootfs, manifest } = await ensureImage({ dataDir: IMAGE_DIR, trust: "host" });
  await using bench = await startBench({ image: { digest, rootfs, env: manifest.env } });
  const sandbox = await bench.engine.create(sandboxSpec(), create());
  // Raw sockets and changes to the link are what spoofing takes; root has neither.
  const tried = await guestShell(
    sandbox,
    "sudo python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 255)'; " +
      "sudo ip addr add 10.9.9.9/24 dev eth0 && echo changed",
  );
  assert.match(tried, /PermissionError/);
  assert.doesNotMatch(tried, /changed/);
});

Deno.test("an allowed private address is reached at its port only, by so many connections", async () => {
  const { digest, rootfs, manifest } = await ensureImage({ dataDir: IMAGE_DIR, trust: "host" });
  const name = "pdtpriv";
  const ip = async (...args: string[]) => {
    const { success, stderr } = await new Deno.Command("ip", { args }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  };
  await using stack = new AsyncDisposableStack();
  await ip("netns", "add", name);
  stack.defer(() => ip("netns", "del", name));
  await ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name);
  await ip("addr", "add", "10.197.77.1/30", "dev", name);
  await ip("link", "set", name, "up");
  await ip("-n", name, "addr", "add", "10.197.77.2/30", "dev", "eth0");
  await ip("-n", name, "link", "set", "eth0", "up");
  await ip("-n", name, "route", "add", "default", "via", "10.197.77.1");
  const serve = "import socket\nfor p in (8080, 8081):\n  s = socket.socket(); " +
    "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('', p)); s.listen()\n" +
    "  globals()[f's{p}'] = s\nprint('up', flush=True)\nimport time; time.sleep(60)";
  const server = new Deno.Command("ip", {
    args: ["netns", "exec", name, "python3", "-c", serve],
    stdout: "piped",
  }).spawn();
  stack.defer(async () => {
    server.kill("SIGKILL");
    await server.output();
  });
  const bench = stack.use(
    await startBench({
      image: { digest, rootfs, env: manifest.env },
      network: { allowPrivate: ["10.197.77.2:8080"] },
      limits: { guestConnections: 6 },
    }),
  );
  const sandbox = await bench.engine.create(sandboxSpec(), create());
  assert.match(await dial(sandbox, "10.197.77.2", 8080), /^connected/);
  assert.doesNotMatch(await dial(sandbox, "10.197.77.2", 8081), /^connected/);
  const many = await guestShell(
    sandbox,
    `python3 - <<'END'
import socket
held = []
for i in range(12):
    s = socket.socket(); s.settimeout(3)
    try:
        s.connect(("10.197.77.2", 8080)); held.append(s)
    except ConnectionRefusedError: pass
print(len(held))
END`,
  );
  assert.ok(Number(many) >= 1 && Number(many) <= 6, `${many} connections`);
});

Deno.test("names resolve in a guest as they do on the host", async () => {
  const { digest, rootfs, manifest } = await ensureImage({ dataDir: IMAGE_DIR, trust: "host" });
  await using bench = await startBench({ image: { digest, rootfs, env: manifest.env } });
  const sandbox = await bench.engine.create(sandboxSpec(), create());
  const { stdout } = await new Deno.Command("npm", { args: ["config", "get", "registry"] })
    .output();
  const { hostname } = new URL(new TextDecoder().decode(stdout).trim());
  const [known] = await Deno.resolveDns(hostname, "A");
  const seen = await guestShell(sandbox, `getent ahostsv4 ${hostname}`);
  assert.ok(seen.includes(known), `the guest sees ${seen}, the host ${known}`);
  assert.match(await dial(sandbox, hostname, 443), /^connected/);
});

import { networkInterfaces } from "node:os";
import { rm, writeFile } from "node:fs/promises";
import assert from "node:assert/strict";
import { Sandbox } from "@paddock/sandbox";
import { startServer, until } from "../harness.ts";
import { makePrivateNetwork } from "./private_network.ts";

interface Attempt {
  target: string;
  outcome: string;
}

Deno.test("a sandbox reaches the internet and nothing near it", async (t) => {
  await using server = await startServer({ listen: "0.0.0.0:0" });
  const apiPort = Number(new URL(server.api).port);
  const options = { endpoint: server.api, token: server.token };
  await using sandbox = await Sandbox.create(options);
  await using other = await Sandbox.create(options);

  const attempt = async (targets: string[]): Promise<Attempt[]> => {
    await sandbox.env.set("TARGETS", JSON.stringify(targets));
    const text = await sandbox.sh`deno eval ${connectProgram}`.text();
    return JSON.parse(text);
  };
  const noneConnects = async (targets: string[]) => {
    assert.ok(targets.length > 0, "there is something to try");
    const reached = (await attempt(targets)).filter(({ outcome }) => outcome === "connected");
    assert.deepEqual(reached, []);
  };
  const addressOf = async (of: Sandbox) =>
    (await of.sh`python3 -c ${ownAddressProgram}`.text()).trim();

  await t.step("the probe itself works: a server inside is reached", async () => {
    await sandbox.spawn("python3", {
      ...{ args: ["-m", "http.server", "8099"], stdin: "null", stdout: "null", stderr: "null" },
    });
    const own = await addressOf(sandbox);
    await until("the server inside", 10_000, async () => {
      const [first, second] = await attempt([`127.0.0.1:8099`, `${own}:8099`]);
      return first.outcome === "connected" && second.outcome === "connected";
    });
  });

  await t.step("not the host: a listener on all its addresses, the API, ssh", async () => {
    using listener = Deno.listen({ hostname: "0.0.0.0", port: 0 });
    let accepted = 0;
    (async () => {
      for await (const connection of listener) {
        accepted++;
        connection.close();
      }
    })().catch(() => {});
    const { port } = listener.addr as Deno.NetAddr;
    const gateway = (await sandbox.sh`python3 -c ${gatewayProgram}`.text()).trim();
    assert.match(gateway, /^\d+\.\d+\.\d+\.\d+$/);
    const hosts = Object.values(networkInterfaces()).flat()
      .filter((address) => address?.family === "IPv4" && !address.internal)
      .map((address) => address!.address);
    const targets = [...new Set([gateway, ...hosts])]
      .flatMap((host) => [port, apiPort, 22, 53, 111].map((at) => `${host}:${at}`));
    // The address of a link to some sandbox that ends meanwhile may vanish: more than one is tried.
    await noneConnects(targets);
    assert.equal(accepted, 0);
    (await Deno.connect({ hostname: hosts[0], port })).close();
    await until("the listener to see the host itself", 2000, () => accepted === 1);
  });

  await t.step("not another sandbox, nor its agent", async () => {
    await other.spawn("python3", {
      ...{ args: ["-m", "http.server", "8088"], stdin: "null", stdout: "null", stderr: "null" },
    });
    const address = await addressOf(other);
    assert.notEqual(address, await addressOf(sandbox));
    await until("the other's server", 10_000, async () => {
      const found = await other.sh`curl -s -o /dev/null -w ok http://127.0.0.1:8088/`.noThrow()
        .text();
      return found === "ok";
    });
    await noneConnects([`${address}:8088`, `${address}:4270`, `${address}:22`]);
  });

  await t.step("not its own agent without the token", async () => {
    const own = await addressOf(sandbox);
    for (const host of ["127.0.0.1", own]) {
      for (const path of ["health", "rpc", "tunnel?port=22"]) {
        const code = await sandbox
          .sh`curl -s -m 5 -o /dev/null -w ${"%{http_code}"} http://${host}:4270/${path}`
          .noThrow().text();
        assert.ok(["401", "403", "000"].includes(code), `${host} ${path} → ${code}`);
      }
    }
  });

  await t.step("not the private networks around the host", async () => {
    await using network = await makePrivateNetwork();
    const { addresses, port } = network;
    await until("the host to reach them all", 15_000, async () => {
      const tries = addresses.map((hostname) =>
        Deno.connect({ hostname, port }).then((connection) => connection.close())
      );
      return await Promise.all(tries).then(() => true, () => false);
    });
    await noneConnects([
      ...addresses.map((address) => `${address}:${port}`),
      ...addresses.map((address) => `[::ffff:${address}]:${port}`),
      ...["169.254.169.254:80", "100.100.100.200:80", "168.63.129.16:80", "127.0.0.1:5432"],
    ]);
  });

  await t.step("names resolve and the npm registry answers", async () => {
    const out = await sandbox
      .sh`mkdir -p /tmp/hono && cd /tmp/hono && echo '{}' > package.json && deno install npm:hono 2>&1 && deno eval ${helloProgram}`
      .text();
    assert.match(out, /200 hello from hono/);
  });

  await t.step("root inside cannot open its network further", async () => {
    const address = await addressOf(other);
    const script = `ip addr add 192.168.1.99/24 dev eth0; ip route add default via ${address};
      nft flush ruleset; iptables -F; sysctl -w net.ipv4.ip_forward=1; true`;
    await sandbox.sh`sudo bash -c ${script}`.noThrow();
    await noneConnects([`${address}:8088`, `${address}:4270`]);
  });
});

Deno.test("a sandbox sees nothing of the host", async (t) => {
  await using server = await startServer();
  await using sandbox = await Sandbox.create({ endpoint: server.api, token: server.token });

  await t.step("no file of the host", async () => {
    const secret = crypto.randomUUID();
    const file = `/tmp/paddock-host-secret-${secret}`;
    await writeFile(file, secret);
    try {
      const found = await sandbox
        .sh`sudo bash -c ${`ls -d ${file} ${server.dataDir} /work /proc/1/root/work /var/lib/paddock 2>/dev/null; true`}`
        .text();
      assert.equal(found, "");
      const names = await sandbox.sh`cat /etc/hostname /proc/sys/kernel/hostname`.noThrow().text();
      assert.doesNotMatch(names, new RegExp(`^${Deno.hostname()}$`, "m"));
    } finally {
      await rm(file);
    }
  });
  await t.step("no process of the host", async () => {
    const list = await sandbox.sh`sudo ps -eo pid,args`.text();
    assert.doesNotMatch(list, /serve|runsc|test-server/);
    assert.ok(list.split("\n").length < 40, list);
  });
  await t.step("no device, module or kernel setting of the host", async () => {
    const devices = await sandbox.sh`ls /dev`.text();
    assert.doesNotMatch(devices, /^(kvm|loop\d*|mem|[sv]d[a-z]\d*|nvme.*)$/m);
    const panic = () => Deno.readTextFile("/proc/sys/kernel/panic");
    const before = await panic();
    const script = "echo 77 > /proc/sys/kernel/panic; echo b > /proc/sysrq-trigger; true";
    await sandbox.sh`sudo bash -c ${script}`.noThrow();
    assert.equal(await panic(), before);
  });
  await t.step("mounts tell nothing about the host", async () => {
    const mounts = await sandbox.sh`cat /proc/self/mountinfo /proc/mounts`.text();
    assert.ok(!mounts.includes(server.dataDir), mounts);
  });
  await t.step("the agent's token is in no child's environment or reach", async () => {
    assert.doesNotMatch(await sandbox.sh`env`.text(), /PADDOCK_AGENT|TOKEN/);
    const environment = await sandbox.eval("JSON.stringify(Deno.env.toObject())");
    assert.doesNotMatch(String(environment), /PADDOCK_AGENT|TOKEN/);
    // gVisor lets everybody read everybody's, so only those of the sandbox user's own processes count;
    // the token opens nothing that `sudo` does not open.
    const program =
      `find /proc -maxdepth 2 -name environ -user sandbox -exec cat {} + | tr '\\0' '\\n' | cut -d= -f1`;
    const names = await sandbox.sh`bash -c ${program}`.text();
    assert.match(names, /^HOME$/m);
    assert.doesNotMatch(names, /PADDOCK_AGENT/);
  });
  await t.step("the user has no way to root but sudo", async () => {
    assert.equal(await sandbox.sh`id -u`.text(), "1000\n");
    const suid = await sandbox.sh`su -c id root < /dev/null 2>&1; true`.text();
    assert.doesNotMatch(suid, /uid=0/);
  });
});

const connectProgram = `
  const targets = JSON.parse(Deno.env.get("TARGETS"));
  const results = await Promise.all(targets.map(async (target) => {
    const url = new URL("http://" + target);
    const late = new Promise((resolve) => setTimeout(() => resolve("no answer"), 2500));
    const connecting = Deno.connect({
      hostname: url.hostname.replace(/^\\[|\\]$/g, ""), port: Number(url.port || 80),
    }).then(() => "connected", (error) => error.name);
    return { target, outcome: await Promise.race([connecting, late]) };
  }));
  console.log(JSON.stringify(results));
  Deno.exit(0);
`;

const ownAddressProgram = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("192.0.2.1", 9))
print(s.getsockname()[0])
`;

const gatewayProgram = `
import socket, struct
for line in open("/proc/net/route").read().splitlines()[1:]:
    fields = line.split()
    if fields[1] == "00000000":
        print(socket.inet_ntoa(struct.pack("<L", int(fields[2], 16))))
        break
`;

const helloProgram = `
  import { Hono } from "hono";
  const app = new Hono();
  app.get("/", (c) => c.text("hello from hono"));
  const response = await app.request("/");
  console.log(response.status, await response.text());
`;

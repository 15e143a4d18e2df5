import { run } from "../harness.ts";
import assert from "node:assert/strict";

export interface PrivateNetwork extends AsyncDisposable {
  /** Addresses that answer on `port` to the host, one from each range that guests may not reach. */
  addresses: string[];
  port: number;
}

const octets = (prefix: string) => `${prefix}.77.2`;
const ranges = ["10.213", "172.31", "192.168", "169.254", "100.64"];

/**
 * A network of the kind a sandbox host often sits in: another machine (a namespace) with an address
 * in every private range and a web server, which the host itself reaches.
 */
export async function makePrivateNetwork(): Promise<PrivateNetwork> {
  const suffix = crypto.randomUUID().slice(0, 6);
  const namespace = `pdtest-${suffix}`;
  const [outer, inner] = [`pdto${suffix}`, `pdti${suffix}`];
  const ip = async (...args: string[]) => {
    const { code, stderr } = await run("ip", args);
    assert.equal(code, 0, `ip ${args.join(" ")}: ${stderr}`);
  };
  await ip("netns", "add", namespace);
  const server = new AbortController();
  const dispose = async () => {
    server.abort();
    await run("ip", ["link", "del", outer]);
    await run("ip", ["netns", "del", namespace]);
  };
  try {
    await ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", namespace);
    await ip("link", "set", outer, "up");
    await ip("-n", namespace, "link", "set", inner, "up");
    await ip("-n", namespace, "link", "set", "lo", "up");
    for (const prefix of ranges) {
      await ip("addr", "add", `${prefix}.77.1/30`, "dev", outer);
      await ip("-n", namespace, "addr", "add", `${octets(prefix)}/30`, "dev", inner);
    }
    await ip("-n", namespace, "route", "add", "default", "via", `${ranges[0]}.77.1`);
    const port = 18_080;
    const program = `Deno.serve({ port: ${port}, hostname: "0.0.0.0" }, () => new Response("in"))`;
    const child = new Deno.Command("ip", {
      args: ["netns", "exec", namespace, Deno.execPath(), "eval", program],
      ...{ stdin: "null", stdout: "null", stderr: "null", signal: server.signal },
    }).spawn();
    return {
      addresses: ranges.map(octets),
      port,
      [Symbol.asyncDispose]: async () => {
        await dispose();
        await child.status;
      },
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GatewayAddresses, PreviewAddresses } from "@paddock/gateway";
import { loadConfig } from "../config.ts";
import { createServer, type ServerOptions } from "../http/create_server.ts";
import { createLog } from "../log.ts";
import { openStore, type Store } from "../store/store.ts";
import { EchoAgent, StandInEngine } from "./stand_in_engine.ts";

export interface StandInServer extends AsyncDisposable {
  url: string;
  token: string;
  /** Of another organisation. */
  otherToken: string;
  engine: StandInEngine;
  store: Store;
  /** Log lines, parsed. */
  lines: Record<string, unknown>[];
  close(): Promise<void>;
  fetch(path: string, init?: RequestInit & { token?: string | null }): Promise<Response>;
}

/**
 * NOT a gateway: names alone, for tests of the HTTP surface. Nothing listens, and its links are not
 * signed; what visitors get is tested with the real gateway.
 */
export const standInGateway: GatewayAddresses & { previews: PreviewAddresses } = {
  previews: {
    domainOf: (label) => `${label}.preview.test:4443`,
    prepare() {},
    labelOf: (domain) => /^([a-z0-9-]+)\.preview\.test(:4443)?$/.exec(domain)?.[1],
    signLink: ({ name }, expiresAt) => `https://${name}.preview.test:4443/?unsigned=${expiresAt}`,
  },
  ssh: {
    host: "127.0.0.1",
    port: 4222,
    hostname: "preview.test:4222",
    hostKey: "ssh-ed25519 AAAA",
  },
};

/** The real server over a stand-in engine, for tests of the HTTP surface. */
export async function serveStandIn(
  limits: Record<string, number> = {},
  more: Pick<ServerOptions, "gateway" | "prepareVscode"> = { gateway: standInGateway },
): Promise<StandInServer> {
  const dataDir = await mkdtemp(join(tmpdir(), "paddock-server-"));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(dataDir, { recursive: true }));
  const config = loadConfig({ env: {}, flags: { dataDir, limits } });
  const store = stack.use(openStore(dataDir));
  await store.organizations.ensure("default");
  await store.organizations.ensure("other");
  const { token } = await store.tokens.create("default", "test");
  const { token: otherToken } = await store.tokens.create("other", "test");
  const agent = stack.use(await EchoAgent.start());
  const engine = new StandInEngine(store.records, store.volumes, agent);
  stack.defer(() => engine.close());
  const lines: Record<string, unknown>[] = [];
  const log = createLog({
    level: "debug",
    format: "json",
    write: (line) => lines.push(JSON.parse(line)),
  });
  const server = createServer({ config, engine, store, log, ...more });
  stack.defer(() => server.close());
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${port}`;
  const owned = stack.move();
  return {
    url,
    token,
    otherToken,
    engine,
    store,
    lines,
    close: () => server.close(),
    fetch(path, { token: given = token, ...init } = {}) {
      const headers = new Headers(init.headers);
      if (given !== null) headers.set("authorization", `Bearer ${given}`);
      return fetch(url + path, { ...init, headers });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

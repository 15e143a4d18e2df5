import { createSecureContext } from "node:tls";
import type { Engine, RunningSandbox } from "@paddock/engine";
import { silentLog } from "@paddock/driver";
import { defaultLimits, type LimitValues } from "@paddock/protocol";
import type { Exposure } from "../../exposures.ts";
import { issueCertificate, makeAuthority } from "../../tls/issue_certificate.ts";
import { createIngress, type Ingress } from "../create_ingress.ts";
import { type StandInSandbox, standInSandbox } from "./stand_in_sandbox.ts";

export const BASE_DOMAIN = "sandbox.test";
export const LINK_KEY = new Uint8Array(32).fill(7);

export interface ServedIngress extends AsyncDisposable {
  ingress: Ingress;
  port: number;
  /** PEM of the authority that signed the ingress's certificate. */
  ca: string;
  guest: StandInSandbox;
  exposures: Map<string, Exposure>;
  sandboxes: Map<string, RunningSandbox>;
  /** Gives a name that leads to a port of the stand-in guest; answers the host to ask for. */
  expose(label: string, port: number, more?: Partial<Exposure>): string;
}

let material: Promise<{ ca: string; cert: string; key: string }> | undefined;

async function certificate() {
  const authority = await makeAuthority("Test authority", new Date(Date.now() + 3_600_000));
  const names = [BASE_DOMAIN, `*.${BASE_DOMAIN}`];
  const leaf = await issueCertificate(authority, names, new Date(Date.now() + 3_600_000));
  return { ca: authority.cert, ...leaf };
}

/** The real ingress over a stand-in sandbox, for tests of what visitors get. */
export async function serveIngress(
  limits: Partial<LimitValues> = {},
  { byName = false } = {},
): Promise<ServedIngress> {
  const { ca, ...pair } = await (material ??= certificate());
  const guest = await standInSandbox();
  const exposures = new Map<string, Exposure>();
  const sandboxes = new Map([[guest.sandbox.spec.id, guest.sandbox]]);
  const context = createSecureContext(pair);
  const ingress = createIngress({
    engine: { get: (id: string) => sandboxes.get(id) } as Engine,
    exposures: { find: (name) => exposures.get(name), findSsh: () => undefined },
    defaultPair: () => pair,
    ...(byName && { secureContextFor: () => context }),
    limits: { ...defaultLimits, ...limits },
    log: silentLog,
    baseDomain: BASE_DOMAIN,
    linkKey: LINK_KEY,
  });
  const { port } = await ingress.listen({ host: "127.0.0.1", port: 0 });
  return {
    ...{ ingress, port, ca, guest, exposures, sandboxes },
    expose(label, guestPort, more = {}) {
      exposures.set(label, {
        ...{ name: label, kind: "http", sandboxId: guest.sandbox.spec.id, organizationId: "org" },
        ...{ access: "public", accessHash: null, createdAt: 1 },
        ...more,
      });
      guest.exposed.set(`${label}.${BASE_DOMAIN}`, guestPort);
      return `${label}.${BASE_DOMAIN}`;
    },
    async [Symbol.asyncDispose]() {
      await ingress.close();
      await guest[Symbol.asyncDispose]();
    },
  };
}

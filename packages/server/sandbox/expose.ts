import { createHash, randomBytes } from "node:crypto";
import type { RunningSandbox } from "@paddock/engine";
import type { Exposure, PreviewAddresses } from "@paddock/gateway";
import {
  chosenNameProblem,
  type ExposeAnswer,
  type ExposeRequest,
  type ExposeSshAnswer,
  newExposureName,
  PaddockError,
} from "@paddock/protocol";
import { hashOfUsername } from "../store/exposures.ts";
import type { Services } from "../services.ts";

/** 256 bits, as text that is safe in URLs, headers and cookies. */
const TOKEN_BYTES = 32;

/** Gives a server in a sandbox a name; which port it leads to, the client tells the agent. */
export function exposeHttp(
  services: Services,
  sandbox: RunningSandbox,
  kind: "http" | "vscode",
  { name, access = "public" }: ExposeRequest,
): ExposeAnswer {
  const { domainOf, prepare } = previewsOf(services);
  const problem = name === undefined ? undefined : chosenNameProblem(name);
  if (problem !== undefined) {
    throw new PaddockError("INVALID_REQUEST", { message: `name: ${problem}`, field: "name" });
  }
  const label = name ?? newExposureName();
  const token = access === "public" ? undefined : randomBytes(TOKEN_BYTES).toString("base64url");
  keep(services, sandbox, {
    name: label,
    kind,
    access,
    accessHash: token === undefined ? null : createHash("sha256").update(token).digest("hex"),
  });
  prepare(label);
  return { domain: domainOf(label), ...token !== undefined && { token } };
}

export function exposeSsh(
  services: Services,
  sandbox: RunningSandbox,
): ExposeSshAnswer {
  const ssh = services.gateway?.ssh;
  if (!ssh) throw switchedOff("SSH");
  const username = `ssh_${newExposureName()}`;
  const name = hashOfUsername(username);
  keep(services, sandbox, {
    name,
    kind: "ssh",
    access: "public",
    accessHash: null,
  });
  return { hostname: ssh.hostname, username, name, host_key: ssh.hostKey };
}

/** Throws SWITCHED_OFF where there are none. */
export function previewsOf({ gateway }: Services): PreviewAddresses {
  if (!gateway?.previews) throw switchedOff("preview URLs");
  return gateway.previews;
}

function switchedOff(what: string): PaddockError {
  return new PaddockError("SWITCHED_OFF", {
    message: `This Paddock's operator has switched ${what} off.`,
  });
}

function keep(
  { store, config }: Services,
  { spec }: RunningSandbox,
  exposure: Pick<Exposure, "name" | "kind" | "access" | "accessHash">,
): void {
  const { id: sandboxId, organizationId } = spec;
  const whole = { ...exposure, sandboxId, organizationId, createdAt: Date.now() };
  store.exposures.insert(whole, config.limits);
}

import type { Engine, RunningSandbox } from "@paddock/engine";
import { PaddockError } from "@paddock/protocol";
import type { Exposure, ExposureDirectory } from "../exposures.ts";
import type { VisitRequest } from "./visit.ts";

/** A host as visitors name it, in lower case, without port or the dot of a complete name. */
export function hostnameOf(host: string): string {
  return host.replace(/:\d*$/, "").replace(/\.$/, "").toLowerCase();
}

/** What a visitor's request leads to, by the name it gives. */
export function findExposure(
  { host, servername }: Pick<VisitRequest, "host" | "servername">,
  exposures: ExposureDirectory,
  baseDomain: string,
): { exposure: Exposure; domain: string } {
  const domain = hostnameOf(host);
  if (servername !== undefined && hostnameOf(servername) !== domain) {
    throw new PaddockError("MISDIRECTED_REQUEST");
  }
  const suffix = `.${hostnameOf(baseDomain)}`;
  const label = domain.endsWith(suffix) ? domain.slice(0, -suffix.length) : "";
  const exposure = label === "" || label.includes(".") ? undefined : exposures.find(label);
  if (!exposure || exposure.kind === "ssh") throw unknownName();
  return { exposure, domain };
}

export function unknownName(): PaddockError {
  return new PaddockError("EXPOSURE_NOT_FOUND", {
    message: "Nothing is served at this address.",
    hint: "Check the address, or ask whoever gave it to you.",
  });
}

/** One that runs, or that can be resumed. */
export function findSandbox(engine: Engine, { sandboxId }: Exposure): RunningSandbox {
  const sandbox = engine.get(sandboxId);
  if (sandbox?.state === "running" || sandbox?.state === "paused") return sandbox;
  throw sandbox?.state === "creating" ? new PaddockError("SANDBOX_STARTING") : ended();
}

export function ended(): PaddockError {
  return new PaddockError("SANDBOX_STOPPED", {
    message: "The sandbox behind this address has ended.",
    hint: "It does not come back: its owner can create another.",
  });
}

import type { Exposure } from "@paddock/gateway";
import {
  type ExposureInfo,
  exposureListSchema,
  type LinkAnswer,
  linkAnswerSchema,
  linkRequestSchema,
  PaddockError,
  parseRequest,
} from "@paddock/protocol";
import { previewsOf } from "../../sandbox/expose.ts";
import { findRecord, findRunning } from "../../sandbox/find_sandbox.ts";
import type { Services } from "../../services.ts";
import type { Operation } from "../operation.ts";

const listExposures: Operation = {
  method: "get",
  path: "/api/v3/sandbox/{id}/exposures",
  summary: "List a sandbox's public addresses and SSH accesses, oldest first",
  answer: { status: 200, description: "Also of one that has stopped", schema: exposureListSchema },
  async handle({ services, identity, params }) {
    const { sandboxes, exposures } = services.store;
    const record = await findRecord(sandboxes, identity.organizationId, params.id);
    const list = exposures.list(record.id).map((exposure) => infoOf(exposure, services));
    return { status: 200, body: list };
  },
};

/** A visitor finds nothing there from now on, as if the name had never been given. */
const withdraw: Operation = {
  method: "delete",
  path: "/api/v3/sandbox/{id}/exposures/{name}",
  summary: "Withdraw a public address or an SSH access",
  answer: { status: 200, description: "What is left", schema: exposureListSchema },
  async handle({ services, identity, params, log }) {
    const { sandboxes, exposures } = services.store;
    const record = await findRecord(sandboxes, identity.organizationId, params.id);
    if (!exposures.remove(record.id, params.name)) throw new PaddockError("EXPOSURE_NOT_FOUND");
    log.info("withdrew exposure", { sandbox: record.id });
    const list = exposures.list(record.id).map((exposure) => infoOf(exposure, services));
    return { status: 200, body: list };
  },
};

const signLink: Operation = {
  method: "post",
  path: "/api/v3/sandbox/{id}/expose/http/link",
  summary: "Sign a link that opens a protected address until it expires",
  body: linkRequestSchema,
  answer: { status: 200, description: "The link", schema: linkAnswerSchema },
  async handle({ services, identity, params, json, signal }) {
    const { engine, store: { sandboxes, exposures }, config } = services;
    const sandbox = await findRunning(
      { engine, sandboxes, signal },
      identity.organizationId,
      params.id,
    );
    const { domain, expires_in } = parseRequest(linkRequestSchema, await json());
    const previews = previewsOf(services);
    const max = Math.floor(config.limits.linkMaxMs / 1000);
    if (expires_in > max) {
      throw new PaddockError("INVALID_REQUEST", {
        message: `expires_in: a link lives for at most ${max} seconds (limits.linkMaxMs)`,
        field: "expires_in",
        details: { limit: "linkMaxMs", max: config.limits.linkMaxMs },
      });
    }
    const label = previews.labelOf(domain);
    const exposure = label === undefined ? undefined : exposures.find(label);
    if (exposure?.sandboxId !== sandbox.spec.id) throw new PaddockError("EXPOSURE_NOT_FOUND");
    if (exposure.access === "public") {
      throw new PaddockError("INVALID_REQUEST", {
        message: "domain: this address is public, it needs no link",
        field: "domain",
      });
    }
    const expiresAt = Date.now() + expires_in * 1000;
    const body: LinkAnswer = {
      url: previews.signLink(exposure, expiresAt),
      expires_at: new Date(expiresAt).toISOString(),
    };
    return { status: 200, body };
  },
};

export const exposures: readonly Operation[] = [listExposures, withdraw, signLink];

function infoOf({ name, kind, access, createdAt }: Exposure, { gateway }: Services): ExposureInfo {
  const domain = kind === "ssh" ? undefined : gateway?.previews?.domainOf(name);
  return {
    name,
    kind,
    access,
    url: domain === undefined ? null : `https://${domain}`,
    createdAt: new Date(createdAt).toISOString(),
  };
}

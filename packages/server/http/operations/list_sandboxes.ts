import { sandboxListSchema } from "@paddock/protocol";
import { z } from "zod";
import { metadataOf } from "../../sandbox/metadata.ts";
import type { StatusFilter } from "../../store/sandboxes.ts";
import { badQuery, pageQuery, readCursor, readLimit } from "../list_page.ts";
import type { Operation } from "../operation.ts";

const STATUSES: readonly StatusFilter[] = ["running", "stopped", "all"];

export const listSandboxes: Operation = {
  method: "get",
  path: "/api/v2/sandboxes",
  summary: "List the organisation's sandboxes, newest first",
  query: {
    "labels[KEY]": {
      description: "Only sandboxes with this label. Any name that is not listed here is a label " +
        "too: client 0.2 writes `KEY=VALUE`.",
      schema: z.string().optional(),
    },
    status: {
      description: "Which ones; `running` when left out.",
      schema: z.enum(["running", "stopped", "all"]).optional(),
    },
    ...pageQuery.parameters,
  },
  answer: { status: 200, description: "The sandboxes", schema: sandboxListSchema },
  async handle({ services, identity, query, hostRegion }) {
    const labels: Record<string, string> = {};
    for (const [name, value] of query) {
      if (name === "status" || name === "limit" || name === "cursor") continue;
      labels[/^labels\[(.*)\]$/s.exec(name)?.[1] ?? name] = value;
    }
    const maxLabels = services.config.limits.labels;
    if (Object.keys(labels).length > maxLabels) {
      throw badQuery("labels", `at most ${maxLabels} labels are looked for`);
    }
    const limit = readLimit(query.get("limit"), services.config.limits.listPage);
    const records = await services.store.sandboxes.list({
      organizationId: identity.organizationId,
      labels,
      status: readStatus(query.get("status")),
      // A region's own host answers for that region, so that 0.2, which asks each, counts once.
      region: hostRegion,
      limit: limit + 1,
      after: readCursor(query.get("cursor")),
    });
    const page = records.slice(0, limit);
    const headers: Record<string, string> = {};
    if (records.length > limit) {
      const next = new URLSearchParams(query);
      const last = page[page.length - 1];
      next.set("cursor", `${last.createdAt}.${last.id}`);
      headers.link = `</api/v2/sandboxes?${next}>; rel="next"`;
    }
    return {
      status: 200,
      body: page.map((record) => metadataOf(record, services.engine)),
      headers,
    };
  },
};

function readStatus(text: string | null): StatusFilter {
  if (text === null) return "running";
  const status = STATUSES.find((known) => known === text);
  if (status === undefined) throw badQuery("status", `expected one of ${STATUSES.join(", ")}`);
  return status;
}

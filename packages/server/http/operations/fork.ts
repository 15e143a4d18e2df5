import {
  forkAnswerSchema,
  forkRequestSchema,
  newSandboxId,
  parseForkRequest,
} from "@paddock/protocol";
import { findRunning } from "../../sandbox/find_sandbox.ts";
import { createdOf } from "../../sandbox/metadata.ts";
import type { Operation } from "../operation.ts";

export const fork: Operation = {
  method: "post",
  path: "/api/v3/sandbox/{id}/fork",
  summary: "Make running copies of a running sandbox",
  body: forkRequestSchema,
  answer: {
    status: 201,
    description: "They run, and so does the original",
    schema: forkAnswerSchema,
  },
  async handle({ services, identity, params, json, signal, log }) {
    const { engine, store, creator, standstills, graces, config: { limits } } = services;
    const { organizationId } = identity;
    const original = await findRunning(
      { engine, sandboxes: store.sandboxes, signal },
      organizationId,
      params.id,
    );
    const { count, stopAt, labels } = parseForkRequest(await json(), { limits });
    // Those that are made first wait for the others, and for their clients after that.
    const holds: { release(): void }[] = [];
    const sandboxes = await creator.fork(original, {
      count,
      stopAt: stopAt ?? original.stopAt,
      labels: labels ?? original.spec.labels,
      newId: () => newSandboxId(original.spec.region),
      made: (copy) => holds.push(copy.holdSession()),
      around: (work) => standstills.during(original, "checkpoint", work),
    }, signal);
    for (const sandbox of sandboxes) graces.begin(sandbox);
    for (const hold of holds) hold.release();
    log.info("forked", { sandbox: original.spec.id, forks: sandboxes.map(({ spec }) => spec.id) });
    return { status: 201, body: { sandboxes: sandboxes.map(createdOf) } };
  },
};

import {
  type CheckedTemplateDefinition,
  PaddockError,
  parseTemplateDefinition,
  type TemplateDefinition as AsProtocolHasIt,
} from "@paddock/protocol";
import { waits } from "./_defaults.ts";
import { sleep, withDeadline } from "./deadline.ts";
import { type BaseClientOptions, resolveTarget } from "./endpoint.ts";
import { ApiError } from "./errors.ts";
import { restFind, restRequest, type Target } from "./rest.ts";
import { Sandbox } from "./sandbox.ts";
import type { Memory } from "./memory.ts";
import type { TemplateAnswer, TemplateBuildOptions } from "./template.ts";
import { TemplateBuildError } from "./template_build_error.ts";
import type { TemplateDefinition } from "./template_definition.ts";
import { templateDigest } from "./template_digest.ts";
import { findTemplateFiles, type TemplateFile } from "./template_files.ts";
import { TemplateSteps } from "./template_steps.ts";

const IMAGE = "builtin:debian-13";
/** Says of the sandbox in which a template is built what it is for. */
const LABEL = "paddock.template";
const KEEP_ATTEMPTS = 3;
const BETWEEN_ATTEMPTS_MS = 1_000;

/**
 * Builds a template: in a session sandbox, which ends with this program, so that nothing is left of a build
 * that is cut off. The server keeps the sandbox when all steps are done.
 */
export async function buildTemplate(
  client: BaseClientOptions,
  input: TemplateDefinition,
  { directory = ".", force = false, onLog = () => {}, signal }: TemplateBuildOptions,
): Promise<{ answer: TemplateAnswer; reused: boolean }> {
  signal?.throwIfAborted();
  const definition = checked(input);
  const files = await findTemplateFiles(definition, directory);
  const target = await resolveTarget(client, undefined);
  const base = await findBase(target, definition);
  const notAborted = signal ?? new AbortController().signal;
  const digest = await templateDigest(definition, files, base?.id, notAborted);
  if (!force) {
    const there = await find(target, definition.name);
    if (there?.definition === digest && there.current) return { answer: there, reused: true };
  }
  const sandbox = await Sandbox.create({
    ...client,
    ...(definition.memory !== undefined && { memory: definition.memory as Memory }),
    ...(definition.env && { env: definition.env }),
    ...(definition.driver && { driver: definition.driver }),
    ...(base && { template: base.name }),
    labels: { [LABEL]: definition.name },
    signal,
  });
  try {
    const steps = new TemplateSteps(sandbox, onLog);
    const answer = await build({ target, sandbox, steps, definition, files, digest }, signal);
    return { answer, reused: false };
  } finally {
    await sandbox.kill().catch(() => {});
  }
}

interface Building {
  target: Target;
  sandbox: Sandbox;
  steps: TemplateSteps;
  definition: CheckedTemplateDefinition;
  files: readonly TemplateFile[];
  digest: string;
}

async function build(
  { target, sandbox, steps, definition, files, digest }: Building,
  signal: AbortSignal | undefined,
): Promise<TemplateAnswer> {
  const { name, timeoutSeconds } = definition;
  const late = () =>
    new TemplateBuildError(
      steps.step,
      `the template was not complete within ${timeoutSeconds} s (timeoutSeconds)`,
      { output: steps.output },
    );
  try {
    return await withDeadline(timeoutSeconds * 1000, late, signal, async (wanted) => {
      await steps.run(definition, files, wanted);
      steps.begin("checkpoint");
      return await keep(target, sandbox.id, { name, definition: digest }, wanted);
    });
  } catch (error) {
    if (error instanceof TemplateBuildError || signal?.aborted) throw error;
    const { message, code, hint } = error as Error & { code?: string; hint?: string };
    throw new TemplateBuildError(steps.step, message, {
      ...{ output: steps.output, cause: error },
      ...(typeof code === "string" && { code }),
      ...(hint !== undefined && { hint }),
    });
  }
}

/**
 * On a busy host a checkpoint of a sandbox that is not quite at rest now and then cannot be restored, which
 * the server finds out. Building all of it again would cost more than another one.
 */
async function keep(
  target: Target,
  sandboxId: string,
  body: { name: string; definition: string },
  signal: AbortSignal,
): Promise<TemplateAnswer> {
  for (let attempt = 1;; attempt++) {
    try {
      return await restRequest<TemplateAnswer>(target, {
        method: "POST",
        path: `/api/v3/sandbox/${sandboxId}/template`,
        body,
        deadlineMs: waits.forkMs,
        signal,
      });
    } catch (error) {
      const code = error instanceof ApiError && error.code;
      if (code !== "CHECKPOINT_FAILED" || attempt === KEEP_ATTEMPTS) throw error;
      await sleep(BETWEEN_ATTEMPTS_MS, signal);
    }
  }
}

function checked(input: TemplateDefinition): CheckedTemplateDefinition {
  try {
    const definition = parseTemplateDefinition(input satisfies AsProtocolHasIt);
    if (definition.driver === undefined || isImage(definition.from)) return definition;
    throw new PaddockError("INVALID_TEMPLATE", {
      message: "driver: a template that is built from another has the driver of that",
      field: "driver",
    });
  } catch (error) {
    if (!(error instanceof PaddockError)) throw error;
    const { field = "definition", code, hint } = error;
    const problem = error.message.replace(`${field}: `, "");
    throw new TemplateBuildError(field, problem, { code, hint });
  }
}

async function findBase(
  target: Target,
  { from }: CheckedTemplateDefinition,
): Promise<TemplateAnswer | undefined> {
  if (isImage(from)) return undefined;
  const base = await find(target, from!);
  if (base) return base;
  throw new TemplateBuildError("from", `there is no template ${from}`, {
    code: "TEMPLATE_NOT_FOUND",
  });
}

function isImage(from: string | undefined): boolean {
  return from === undefined || from === IMAGE;
}

function find(target: Target, name: string): Promise<TemplateAnswer | null> {
  const path = `/api/v3/templates/${encodeURIComponent(name)}`;
  return restFind(target, path, "TEMPLATE_NOT_FOUND");
}

import { buildTemplate } from "./build_template.ts";
import { type BaseClientOptions, resolveTarget } from "./endpoint.ts";
import { restAll, restFind, restRequest } from "./rest.ts";
import type { TemplateDefinition } from "./template_definition.ts";

/** What sandboxes are made from: a sandbox with software and running programs, kept whole. */
export interface Template {
  id: string;
  name: string;
  region: string;
  driver: string;
  memoryMb: number;
  /** What it takes up. */
  bytes: number;
  /** SHA-256 of what it was built from. */
  definition: string;
  createdAt: Date;
}

export interface BuiltTemplate extends Template {
  /** It was there: built before from the same definition and files, on what the server has now. */
  reused: boolean;
}

export interface TemplateBuildOptions {
  /** The folder that `files` are relative to. Default: this program's working directory. */
  directory?: string;
  /** Build even if nothing has changed. */
  force?: boolean;
  /** What happens: without text a step begins, with text it printed that. */
  onLog?(entry: { step: string; text?: string }): void;
  /** Gives up when it aborts; then there is no template. */
  signal?: AbortSignal;
}

/** The templates of an organisation. */
export interface Templates {
  /** Newest first. */
  list(): Promise<Template[]>;
  /** `null` when there is none of that name or id. */
  get(nameOrId: string): Promise<Template | null>;
  /** Sandboxes that were made from it live on. */
  delete(nameOrId: string): Promise<void>;
  /**
   * Builds a template in a sandbox of its own, which ends. One that has the name makes way when the new one
   * is whole, and not before.
   *
   * @throws {TemplateBuildError} a step failed; the error says which, and what it printed
   */
  build(definition: TemplateDefinition, options?: TemplateBuildOptions): Promise<BuiltTemplate>;
}

const PATH = "/api/v3/templates";

export function createTemplates(options: BaseClientOptions): Templates {
  const one = (nameOrId: string) => `${PATH}/${encodeURIComponent(nameOrId)}`;
  return {
    async list() {
      const target = await resolveTarget(options, undefined);
      return (await restAll<TemplateAnswer>(target, PATH)).map(fromAnswer);
    },
    async get(nameOrId) {
      const target = await resolveTarget(options, undefined);
      const found = await restFind<TemplateAnswer>(target, one(nameOrId), "TEMPLATE_NOT_FOUND");
      return found && fromAnswer(found);
    },
    async delete(nameOrId) {
      const target = await resolveTarget(options, undefined);
      await restRequest(target, { method: "DELETE", path: one(nameOrId) });
    },
    async build(definition, more = {}) {
      const { answer, reused } = await buildTemplate(options, definition, more);
      return { ...fromAnswer(answer), reused };
    },
  };
}

/** @internal */
export interface TemplateAnswer extends Omit<Template, "createdAt"> {
  createdAt: string;
  /** Where one is asked for alone. */
  current?: boolean;
}

function fromAnswer({ current: _, ...answer }: TemplateAnswer): Template {
  return { ...answer, createdAt: new Date(answer.createdAt) };
}

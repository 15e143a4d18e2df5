import * as z from "zod/mini";
import { worstIssue } from "./_codec_parts.ts";
import { PaddockError } from "./paddock_error.ts";
import { volumeSlugProblem } from "./volume_slug.ts";

const DEFAULT_READY_SECONDS = 60;
const DEFAULT_BUILD_SECONDS = 30 * 60;
const MOST_SECONDS = 6 * 60 * 60;
/** Of lists in a definition. */
const MOST_ITEMS = 200;
const MOST_CHARACTERS = 64 * 1024;

/** As apt takes one: a name, and optionally `:arch`, `=version` or `/release`. Never an option. */
const PACKAGE = /^[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?(=[A-Za-z0-9.+:~-]+|\/[a-z0-9-]+)?$/;

const text = z.string().check(z.minLength(1), z.maxLength(MOST_CHARACTERS));
const seconds = z.int().check(z.minimum(1), z.maximum(MOST_SECONDS));

const name = z.string().check(
  z.maxLength(64),
  z.refine((value) => volumeSlugProblem(value) === undefined, {
    error: (issue) => volumeSlugProblem(String(issue.input))?.replace("a slug", "a name"),
  }),
);

const variables = z.record(
  z.string(),
  z.string().check(z.refine((value) => !value.includes("\0"), "must not contain NUL")),
).check(z.refine(
  (env) => Object.keys(env).every((key) => /^[^=\0]+$/.test(key)),
  "a variable's name must not be empty or contain =",
));

/** A path relative to the definition's folder that stays in it. */
const inFolder = text.check(
  z.refine(
    (path) => !path.startsWith("/") && !path.split("/").includes(".."),
    "must be relative to the definition's folder and stay in it",
  ),
);

const file = z.strictObject({
  from: inFolder,
  /** Relative to /home/sandbox; with a slash at the end: into this directory. */
  to: text.check(z.refine((path) => !path.includes("\0"), "must not contain NUL")),
  /** It belongs to root, and may be anywhere. */
  root: z.optional(z.boolean()),
});

const command = z.strictObject({
  run: text,
  root: z.optional(z.boolean()),
  cwd: z.optional(text),
});

/** Seen with a connection to the port of the sandbox's loopback, or a command that exits with 0. */
const ready = z.union([
  z.strictObject({ port: z.int().check(z.minimum(1), z.maximum(65_535)) }),
  z.strictObject({ command: text }),
]);

const start = z.strictObject({
  command: text,
  root: z.optional(z.boolean()),
  cwd: z.optional(text),
  ready,
  /** How long it may take until it is ready. */
  timeoutSeconds: z._default(seconds, DEFAULT_READY_SECONDS),
});

/** What `template.json` may say. */
export const templateDefinitionSchema = z.strictObject({
  name,
  /** The name of another template, or the guest image. */
  from: z.optional(text),
  /** Bytes, or text such as `"1GiB"`. */
  memory: z.optional(z.union([z.int().check(z.minimum(1)), text])),
  driver: z.optional(z.enum(["firecracker", "gvisor", "qemu"])),
  env: z.optional(variables),
  packages: z.optional(
    z.array(z.string().check(z.regex(PACKAGE, "is not the name of a Debian package")))
      .check(z.maxLength(MOST_ITEMS)),
  ),
  files: z.optional(z.array(file).check(z.maxLength(MOST_ITEMS))),
  commands: z.optional(z.array(z.union([text, command])).check(z.maxLength(MOST_ITEMS))),
  start: z.optional(start),
  /** Run in every sandbox that is made from it, before anybody reaches that. */
  restored: z.optional(text),
  /** How long the whole of the building may take. */
  timeoutSeconds: z._default(seconds, DEFAULT_BUILD_SECONDS),
});

/** As a person writes it. */
export type TemplateDefinition = z.input<typeof templateDefinitionSchema>;
export type CheckedTemplateDefinition = z.output<typeof templateDefinitionSchema>;

/** Throws INVALID_TEMPLATE with the field. */
export function parseTemplateDefinition(value: unknown): CheckedTemplateDefinition {
  const parsed = templateDefinitionSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const worst = worstIssue(parsed.error.issues as Parameters<typeof worstIssue>[0]);
  const { message } = worst;
  const field = worst.field.replace(/\.(\d+)(?=\.|$)/g, "[$1]");
  throw new PaddockError("INVALID_TEMPLATE", {
    message: field === "" ? message : `${field}: ${message}`,
    ...(field !== "" && { field }),
  });
}

import { z } from "zod";
import { PaddockError } from "./paddock_error.ts";

export const exposureAccessSchema = z.enum(["public", "protected"]);

/** Body of `POST /api/v3/sandbox/{id}/expose/http` and `/vscode`; published clients send `{}`. */
export const exposeRequestSchema = z.strictObject({
  /** The first label of the address, instead of a random one. */
  name: z.string().max(64).optional(),
  access: exposureAccessSchema.optional(),
});

/** Body of `POST /api/v3/sandbox/{id}/expose/ssh`. */
export const exposeSshRequestSchema = z.strictObject({});

/** Body of `POST /api/v2/sandbox/expose/…`. */
export const exposeV2RequestSchema = z.strictObject({ sandbox_id: z.string().min(1).max(64) });

export const exposeAnswerSchema = z.object({
  /** With the port, unless it is 443: the address is `https://` and this. */
  domain: z.string(),
  /** What visitors of a protected address show. It is not kept: this is the only time it is told. */
  token: z.string().optional(),
});

export const exposeSshAnswerSchema = z.object({
  /** With the port, unless it is 22. */
  hostname: z.string(),
  /** Who knows it needs nothing else. */
  username: z.string(),
  /** What it is withdrawn by: a hash of the user name. */
  name: z.string(),
  /** Of the server: `ssh-ed25519 AAAA…`, as a line in `known_hosts` has it behind the host. */
  host_key: z.string(),
});

/** Body of `POST /api/v3/sandbox/{id}/expose/http/link`. */
export const linkRequestSchema = z.strictObject({
  /** As `expose/http` answered it. */
  domain: z.string().min(1).max(260),
  /** Seconds. */
  expires_in: z.int().min(1),
});

export const linkAnswerSchema = z.object({ url: z.string(), expires_at: z.iso.datetime() });

/** An item of `GET /api/v3/sandbox/{id}/exposures`. */
export const exposureSchema = z.object({
  /** What it is withdrawn by. Of SSH it is a hash of the user name. */
  name: z.string(),
  kind: z.enum(["http", "vscode", "ssh"]),
  access: exposureAccessSchema,
  /** null for SSH. */
  url: z.string().nullable(),
  createdAt: z.iso.datetime(),
});

export const exposureListSchema = z.array(exposureSchema);

export type ExposureAccess = z.infer<typeof exposureAccessSchema>;
export type ExposeRequest = z.infer<typeof exposeRequestSchema>;
export type ExposeAnswer = z.infer<typeof exposeAnswerSchema>;
export type ExposeSshAnswer = z.infer<typeof exposeSshAnswerSchema>;
export type ExposureInfo = z.infer<typeof exposureSchema>;
export type LinkAnswer = z.infer<typeof linkAnswerSchema>;

/** The body of a request, checked. Throws INVALID_REQUEST with the field. */
export function parseRequest<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const unknown = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const field = unknown ?? (issue.path.map(String).join(".") || undefined);
  const what = unknown === undefined ? issue.message : "there is no such option";
  throw new PaddockError("INVALID_REQUEST", {
    message: field === undefined ? what : `${field.slice(0, 64)}: ${what}`,
    field: field?.slice(0, 64),
  });
}

import * as z from "zod/mini";

/**
 * What a machine that was restored is told before anybody else reaches it: who it is from now on.
 * The engine sends it to the agent (`POST /identity`, with the token that the machine had); what is
 * left out stays as it was when the machine was checkpointed.
 */
export const guestIdentitySchema = z.strictObject({
  /** The agent's token from now on. */
  token: z.string().check(z.minLength(32), z.maxLength(256)),
  sandboxId: z.string(),
  region: z.string(),
  memoryBytes: z.int().check(z.minimum(0)),
  /** Variables of every command; those that were set before are dropped. */
  env: z.optional(z.record(z.string(), z.string())),
  /** Variables of every command, beside those that there are or in their place. */
  moreEnv: z.optional(z.record(z.string(), z.string())),
  hostname: z.string().check(z.minLength(1), z.maxLength(63)),
  /** 32 hexadecimal digits, as in /etc/machine-id. */
  machineId: z.string().check(z.regex(/^[0-9a-f]{32}$/)),
  /** Content of /etc/hosts and /etc/resolv.conf. */
  hosts: z.string(),
  resolvConf: z.string(),
  /** The time it is, in milliseconds since 1970: a machine's clock may have stood still. */
  time: z.number(),
  /**
   * Left out by an engine that makes a sandbox of the machine at once. `waiting`: it is nobody's yet, and all
   * is done but who it is. `prepared`: it was told so before and is somebody's now; only who is new.
   */
  stage: z.optional(z.enum(["waiting", "prepared"])),
  /** Said after an answer to the same identity: it has taken effect, and only the time is new. */
  again: z.optional(z.boolean()),
  /** Base64 of random bytes, so that two machines from one checkpoint draw different ones. */
  entropy: z.string().check(z.minLength(64), z.maxLength(4096)),
});

export type GuestIdentity = z.infer<typeof guestIdentitySchema>;

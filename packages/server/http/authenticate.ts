import { PaddockError } from "@paddock/protocol";
import type { Identity, Tokens } from "../store/tokens.ts";

export interface Credentials {
  authorization: string | undefined;
  /** `X-Deno-Org`: clients with a personal token name the organisation they mean. */
  organization: string | undefined;
}

export async function authenticate(
  { authorization, organization }: Credentials,
  tokens: Tokens,
): Promise<Identity> {
  if (authorization === undefined) {
    throw new PaddockError("INVALID_TOKEN", {
      message: "The request carries no access token.",
      hint: "Send `authorization: Bearer ddo_…`; `paddock token create` makes a token.",
    });
  }
  const token = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
  const identity = token === undefined ? undefined : await tokens.verify(token);
  if (!identity) throw new PaddockError("INVALID_TOKEN");
  // Whether the other organisation exists is not for this token to learn: the answer is the same.
  if (organization !== undefined && organization !== identity.organization) {
    throw new PaddockError("FORBIDDEN", {
      message: "The access token belongs to another organisation than X-Deno-Org names.",
      field: "x-deno-org",
    });
  }
  return identity;
}

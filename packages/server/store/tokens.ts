import { createHash, randomBytes, randomUUID } from "node:crypto";
import { PaddockError } from "@paddock/protocol";
import type { Kysely } from "kysely";
import type { Schema } from "./schema.ts";

const PREFIX = "ddo_";
const RANDOM_LENGTH = 40;
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** A token is a bearer of 238 random bits: anything much longer is not one of ours. */
const MAX_TOKEN_LENGTH = 256;
/** `last_used_at` tells "this week or never", so it is not worth a disk write per request. */
const LAST_USED_RESOLUTION_MS = 60_000;

export interface TokenInfo {
  id: string;
  organization: string;
  name: string;
  createdAt: number;
  lastUsedAt: number | null;
  revokedAt: number | null;
}

export interface Identity {
  organizationId: string;
  organization: string;
  tokenId: string;
}

/**
 * Organisation tokens. Only the SHA-256 is stored: with 238 bits of entropy neither a slow hash
 * nor a counter of wrong guesses adds anything, and looking a hash up by index leaks nothing about
 * the token that timing could tell.
 */
export interface Tokens {
  /** The plain token is in the answer and nowhere else. */
  create(organization: string, name: string): Promise<{ token: string; info: TokenInfo }>;
  /** As `create`; live tokens of that name are revoked first. */
  replace(organization: string, name: string): Promise<{ token: string; info: TokenInfo }>;
  verify(token: string): Promise<Identity | undefined>;
  list(organization?: string): Promise<TokenInfo[]>;
  /** False when no live token has that id. */
  revoke(id: string): Promise<boolean>;
}

export function createTokens(
  db: Kysely<Schema>,
  organizationId: (name: string) => Promise<string | undefined>,
  now: () => number = Date.now,
): Tokens {
  async function create(organization: string, name: string) {
    const owner = await organizationId(organization);
    if (owner === undefined) {
      throw new PaddockError("INVALID_ARGUMENT", {
        field: "organization",
        message: `there is no organisation "${organization}"`,
      });
    }
    if (!/^[\w .@-]{1,64}$/.test(name)) {
      throw new PaddockError("INVALID_ARGUMENT", {
        field: "name",
        message: "a token's name is 1 to 64 letters, digits, spaces or _ . @ -",
      });
    }
    const token = newToken();
    const row = {
      id: randomUUID(),
      organization_id: owner,
      name,
      hash: hashOf(token),
      created_at: now(),
      last_used_at: null,
      revoked_at: null,
    };
    await db.insertInto("tokens").values(row).execute();
    const info = { id: row.id, organization, name, createdAt: row.created_at };
    return { token, info: { ...info, lastUsedAt: null, revokedAt: null } };
  }

  return {
    create,

    async replace(organization, name) {
      const owner = await organizationId(organization);
      await db.updateTable("tokens").set({ revoked_at: now() })
        .where("organization_id", "=", owner ?? "").where("name", "=", name)
        .where("revoked_at", "is", null).execute();
      return await create(organization, name);
    },

    async verify(token) {
      if (!token.startsWith(PREFIX) || token.length > MAX_TOKEN_LENGTH) return undefined;
      const row = await db.selectFrom("tokens")
        .innerJoin("organizations", "organizations.id", "tokens.organization_id")
        .select(["tokens.id", "tokens.last_used_at", "tokens.organization_id"])
        .select("organizations.name")
        .where("hash", "=", hashOf(token)).where("revoked_at", "is", null)
        .executeTakeFirst();
      if (!row) return undefined;
      const time = now();
      if (row.last_used_at === null || time - row.last_used_at >= LAST_USED_RESOLUTION_MS) {
        // A guest may fill the host's disk: those who could end it must not be locked out by that.
        await db.updateTable("tokens").set({ last_used_at: time })
          .where("id", "=", row.id).execute().catch(() => {});
      }
      return { organizationId: row.organization_id, organization: row.name, tokenId: row.id };
    },

    async list(organization) {
      let query = db.selectFrom("tokens")
        .innerJoin("organizations", "organizations.id", "tokens.organization_id")
        .select([
          "tokens.id as id",
          "organizations.name as organization",
          "tokens.name as name",
          "tokens.created_at as createdAt",
          "tokens.last_used_at as lastUsedAt",
          "tokens.revoked_at as revokedAt",
        ]).orderBy("tokens.created_at");
      if (organization !== undefined) query = query.where("organizations.name", "=", organization);
      return await query.execute();
    },

    async revoke(id) {
      const changed = await db.updateTable("tokens").set({ revoked_at: now() })
        .where("id", "=", id).where("revoked_at", "is", null).executeTakeFirst();
      return changed.numUpdatedRows > 0n;
    },
  };
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

function newToken(): string {
  let random = "";
  while (random.length < RANDOM_LENGTH) {
    for (const byte of randomBytes(RANDOM_LENGTH)) {
      // 248 is the largest multiple of 62 below 256: rejecting the rest keeps every letter as likely.
      if (byte < 248 && random.length < RANDOM_LENGTH) random += ALPHABET[byte % 62];
    }
  }
  return PREFIX + random;
}

import { randomUUID } from "node:crypto";
import { PaddockError } from "@paddock/protocol";
import type { Kysely } from "kysely";
import type { Schema } from "./schema.ts";

export interface Organizations {
  /** Creates it if it is not there; answers its id. */
  ensure(name: string): Promise<string>;
  idOf(name: string): Promise<string | undefined>;
  list(): Promise<{ id: string; name: string; createdAt: number }[]>;
}

/** Names are DNS labels: they travel in a header and will be part of host names. */
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;

export function createOrganizations(db: Kysely<Schema>): Organizations {
  const idOf = async (name: string) =>
    (await db.selectFrom("organizations").select("id").where("name", "=", name)
      .executeTakeFirst())?.id;
  return {
    idOf,

    async ensure(name) {
      if (!NAME.test(name)) {
        throw new PaddockError("INVALID_ARGUMENT", {
          field: "organization",
          message: `"${name}" is not an organisation's name: 1 to 40 of a-z, 0-9 and inner hyphens`,
        });
      }
      await db.insertInto("organizations")
        .values({ id: randomUUID(), name, created_at: Date.now() })
        .onConflict((conflict) => conflict.column("name").doNothing()).execute();
      return (await idOf(name))!;
    },

    async list() {
      return await db.selectFrom("organizations")
        .select(["id", "name", "created_at as createdAt"]).orderBy("name").execute();
    },
  };
}

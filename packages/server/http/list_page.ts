import { PaddockError } from "@paddock/protocol";
import { z } from "zod";
import type { Call } from "./operation.ts";

interface Listed {
  id: string;
  createdAt: number;
}

/** What every listing in pages takes besides. */
export const pageQuery = {
  text: z.string().optional(),
  parameters: {
    limit: { description: "How many at most.", schema: z.int().min(1).optional() },
    cursor: {
      description: "Where to go on: from the `Link` header of the page before.",
      schema: z.string().optional(),
    },
  },
};

/** One page, newest first, and the `Link` to the next one. */
export async function listPage<T extends Listed>(
  { query, services, origin }: Call,
  path: string,
  find: (page: { limit: number; after?: Listed }) => Promise<T[]>,
): Promise<{ page: T[]; headers: Record<string, string> }> {
  const limit = readLimit(query.get("limit"), services.config.limits.listPage);
  const records = await find({ limit: limit + 1, after: readCursor(query.get("cursor")) });
  const page = records.slice(0, limit);
  if (records.length <= limit) return { page, headers: {} };
  const next = new URLSearchParams(query);
  const last = page[page.length - 1];
  next.set("cursor", `${last.createdAt}.${last.id}`);
  // Absolute: published clients refuse a link that is not.
  return { page, headers: { link: `<${origin}${path}?${next}>; rel="next"` } };
}

export function readLimit(text: string | null, max: number): number {
  if (text === null) return max;
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > max) throw badQuery("limit", `expected 1 to ${max} (limits.listPage)`);
  return limit;
}

export function readCursor(text: string | null): Listed | undefined {
  if (text === null) return undefined;
  const match = /^(\d{1,16})\.((?:sbx|vol|snp|chk|tpl)_\w{1,40})$/.exec(text);
  if (!match) throw badQuery("cursor", "this is not a cursor of this listing");
  return { createdAt: Number(match[1]), id: match[2] };
}

export function badQuery(field: string, problem: string): PaddockError {
  return new PaddockError("INVALID_REQUEST", { message: `${field}: ${problem}`, field });
}

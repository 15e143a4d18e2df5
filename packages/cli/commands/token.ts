import { existsSync } from "node:fs";
import { join } from "node:path";
import { openStore } from "@paddock/server";
import { CliError } from "../cli_error.ts";
import { formatDuration, formatTable } from "../format.ts";
import { printJson, printLine, printNote } from "../output.ts";
import type { DataDirOptions, JsonOption } from "./options.ts";
import { serverConfig } from "./server_config.ts";

type StoreOptions = JsonOption & DataDirOptions;

export async function tokenCreate(
  options: StoreOptions & { name: string; org: string },
): Promise<void> {
  using store = openRecords(options);
  await store.organizations.ensure(options.org);
  const { token, info } = await store.tokens.create(options.org, options.name);
  if (options.json) {
    printJson({ token, id: info.id, name: info.name, organization: info.organization });
    return;
  }
  printLine(token);
  printNote(
    `Token "${info.name}" of organisation "${info.organization}". It is not shown again.`,
  );
}

export async function tokenList(
  options: StoreOptions & { org?: string; all?: boolean },
): Promise<void> {
  using store = openRecords(options);
  const tokens = (await store.tokens.list(options.org))
    .filter((token) => options.all || token.revokedAt === null);
  if (options.json) {
    printJson(tokens.map((token) => ({
      ...token,
      createdAt: isoDate(token.createdAt),
      lastUsedAt: isoDate(token.lastUsedAt),
      revokedAt: isoDate(token.revokedAt),
    })));
    return;
  }
  if (tokens.length === 0) {
    printNote("No tokens. `paddock token create --name NAME` makes one.");
    return;
  }
  const now = Date.now();
  const ago = (time: number | null) =>
    time === null ? "never" : `${formatDuration(now - time)} ago`;
  const header = ["ID", "ORGANISATION", "NAME", "CREATED", "LAST USED"];
  if (options.all) header.push("REVOKED");
  printLine(formatTable(
    header,
    tokens.map((token) => [
      token.id,
      token.organization,
      token.name,
      ago(token.createdAt),
      ago(token.lastUsedAt),
      ...options.all ? [token.revokedAt === null ? "" : ago(token.revokedAt)] : [],
    ]),
  ));
}

export async function tokenRevoke(ids: string[], options: StoreOptions): Promise<void> {
  using store = openRecords(options);
  const live = (await store.tokens.list()).filter((token) => token.revokedAt === null);
  // All of them are found before any is revoked: a typing error changes nothing.
  const chosen = ids.map((id) => {
    const matches = live.filter((token) => token.id.startsWith(id));
    if (matches.length === 1) return matches[0];
    throw new CliError(
      matches.length === 0 ? `there is no live token "${id}"` : `"${id}" begins several ids`,
      { hint: "`paddock token ls` lists them" },
    );
  });
  for (const { id } of chosen) await store.tokens.revoke(id);
  if (options.json) printJson(chosen.map(({ id, name }) => ({ id, name, revoked: true })));
  else for (const { id } of chosen) printLine(id);
}

function openRecords(options: StoreOptions) {
  const { dataDir } = serverConfig(options);
  try {
    return openStore(dataDir);
  } catch (error) {
    if (error instanceof Error && /EACCES|permission|unable to open/i.test(error.message)) {
      const there = existsSync(join(dataDir, "paddock.db"));
      throw new CliError(`cannot ${there ? "open" : "create"} the records in ${dataDir}`, {
        hint: "the data directory belongs to root: use sudo, or another --data-dir",
        cause: error,
      });
    }
    throw error;
  }
}

function isoDate(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}

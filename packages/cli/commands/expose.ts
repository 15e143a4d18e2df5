import { type Duration, Sandbox } from "@paddock/sandbox";
import { clientOptions, openApi, sandboxPath } from "../connection.ts";
import { formatDuration, formatTable } from "../format.ts";
import { printJson, printLine, printNote } from "../output.ts";
import type { ConnectionOptions, JsonOption } from "./options.ts";

interface ExposeOptions extends ConnectionOptions, JsonOption {
  name?: string;
  protected?: boolean;
  link?: Duration;
}

/** What the server lists. */
interface ExposureItem {
  name: string;
  kind: string;
  access: string;
  url: string | null;
  createdAt: string;
}

export async function exposeCommand(
  id: string,
  port: number,
  options: ExposeOptions,
): Promise<void> {
  const guarded = options.protected || options.link !== undefined;
  await using sandbox = await Sandbox.connect(id, clientOptions(options));
  const exposure = await sandbox.expose({
    port,
    name: options.name,
    access: guarded ? "protected" : "public",
  });
  const { url, token, name, access } = exposure;
  const link = options.link && await exposure.signLink({ expiresIn: options.link });
  if (options.json) {
    const more = link && { link: link.url, linkExpiresAt: link.expiresAt.toISOString() };
    return printJson({ id, url, name, access, ...token && { token }, ...more });
  }
  printLine(link ? link.url : url);
  if (link) {
    printNote(`The link works for ${formatDuration(link.expiresAt.getTime() - Date.now())}.`);
  }
  if (token) {
    printNote(
      `Visitors of ${url} need the token, which is not shown again:\n  ${token}\n` +
        "as the header `X-Paddock-Access`, or behind the address as `?paddock_access=`.",
    );
  }
}

export async function exposuresCommand(
  id: string,
  options: ConnectionOptions & JsonOption,
): Promise<void> {
  const items = await (await openApi(options)).get<ExposureItem[]>(`${sandboxPath(id)}/exposures`);
  if (options.json) return printJson(items);
  if (items.length === 0) return printNote("Nothing of it is reachable from outside.");
  printLine(renderExposures(items, Date.now()));
}

export async function unexposeCommand(
  id: string,
  names: string[],
  options: ConnectionOptions & JsonOption,
): Promise<void> {
  const api = await openApi(options);
  const exposures = `${sandboxPath(id)}/exposures`;
  for (const name of names) await api.delete(`${exposures}/${encodeURIComponent(name)}`);
  if (options.json) printJson({ id, withdrawn: names });
}

export function renderExposures(items: ExposureItem[], now: number): string {
  return formatTable(
    ["NAME", "KIND", "ACCESS", "AGE", "URL"],
    items.map(({ name, kind, access, url, createdAt }) => [
      name,
      kind,
      kind === "ssh" ? "user name" : access,
      formatDuration(now - Date.parse(createdAt)),
      url ?? "",
    ]),
  );
}

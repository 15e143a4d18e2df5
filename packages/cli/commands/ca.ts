import { existsSync } from "node:fs";
import { join } from "node:path";
import { CliError } from "../cli_error.ts";
import { readLocalReady } from "../local_daemon.ts";
import { printJson, printLine, printNote } from "../output.ts";
import type { DataDirOptions, JsonOption } from "./options.ts";
import { serverConfig } from "./server_config.ts";

/** Prints the path alone on standard output, so that `$(paddock ca)` is one. */
export async function caCommand(options: DataDirOptions & JsonOption): Promise<void> {
  const config = serverConfig(options);
  if (config.ingress.tls.mode !== "local") {
    throw new CliError(
      `there is no authority of Paddock's own: certificates come from ${config.ingress.tls.mode}`,
      { hint: "visitors trust them, or whoever made the files knows how they can" },
    );
  }
  const running = options.dataDir === undefined ? (await readLocalReady())?.ca : undefined;
  const path = running ?? join(config.dataDir, "gateway", "ca.pem");
  if (!existsSync(path)) {
    throw new CliError(`there is no ${path}`, { hint: "the first start of a server makes it" });
  }
  if (options.json) return printJson({ ca: path });
  printLine(path);
  if (!Deno.stdout.isTerminal()) return;
  printNote(trustHelp(path));
}

/** How programs on this host come to trust preview URLs. */
export function trustHelp(path: string): string {
  return `
Node:       export NODE_EXTRA_CA_CERTS=${path}
Deno:       export DENO_CERT=${path}
curl:       curl --cacert ${path} https://…
This host:  cp ${path} /usr/local/share/ca-certificates/paddock.crt && update-ca-certificates
Browsers:   import it as an authority for websites, in the settings for certificates`;
}

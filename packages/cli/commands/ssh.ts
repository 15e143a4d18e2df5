import { Sandbox, type SshAccess } from "@paddock/sandbox";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { CliError } from "../cli_error.ts";
import { clientOptions } from "../connection.ts";
import { exitCodes } from "../exit_codes.ts";
import { printLine, printNote } from "../output.ts";
import { onSignals } from "../signals.ts";
import { withExecExitCodes } from "./exec_failure.ts";
import type { ConnectionOptions } from "./options.ts";

interface SshOptions extends ConnectionOptions {
  forward?: string[];
  print?: boolean;
}

/** What `known_hosts` calls the server, whatever it is reached by. */
const ALIAS = "paddock";

export async function sshCommand(id: string, words: string[], options: SshOptions): Promise<void> {
  const command = words[0] === "--" ? words.slice(1) : words;
  process.exitCode = await withExecExitCodes(async () => {
    await using sandbox = await Sandbox.connect(id, clientOptions(options));
    const access = checkedAccess(await sandbox.exposeSsh());
    if (options.print) {
      const { host, port } = splitHostname(access.hostname);
      printLine(`ssh -p ${port} ${access.username}@${host}`);
      if (access.hostKey) printNote(`The server's key: ${access.hostKey}`);
      return exitCodes.ok;
    }
    try {
      return await runSsh(access, command, options.forward ?? []);
    } finally {
      // Nobody else was told the name.
      if (access.name) await sandbox.withdraw(access.name).catch(() => {});
    }
  });
}

async function runSsh(access: SshAccess, command: string[], forward: string[]): Promise<number> {
  const { host, port } = splitHostname(access.hostname);
  const directory = mkdtempSync(join(tmpdir(), "paddock-ssh-"));
  try {
    const knownHosts = join(directory, "known_hosts");
    writeFileSync(knownHosts, access.hostKey ? `${ALIAS} ${access.hostKey}\n` : "");
    const args = [
      ...["-o", `UserKnownHostsFile=${knownHosts}`, "-o", "GlobalKnownHostsFile=none"],
      ...["-o", `HostKeyAlias=${ALIAS}`],
      ...["-o", `StrictHostKeyChecking=${access.hostKey ? "yes" : "accept-new"}`],
      // Another master's connection has another user name, and this one's ends with the command.
      ...["-o", "ControlPath=none", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"],
      // The sandbox is a stranger: what a user's own settings give to every host is not for it.
      ...["-o", "ForwardAgent=no", "-o", "ForwardX11=no"],
      ...["-p", String(port), ...forward.flatMap((it) => ["-L", it])],
      `${access.username}@${reachable(host)}`,
      ...(command.length === 0 ? [] : ["--", ...command]),
    ];
    return await runHere("ssh", args);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function runHere(program: string, args: string[]): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const child = spawn(program, args, { stdio: "inherit" });
  // A terminal's Ctrl-C reaches ssh by itself; what is sent to this process alone is passed on.
  const passed = onSignals(["SIGINT", "SIGTERM", "SIGHUP"], (signal) => {
    if (signal !== "SIGINT") child.kill(signal);
  });
  child.once("error", (cause) => {
    const missing = (cause as { code?: string }).code === "ENOENT";
    reject(
      new CliError(missing ? "There is no `ssh` on this machine." : `ssh: ${cause.message}`, {
        hint: missing
          ? "Install OpenSSH's client, or use `paddock shell`, which needs none."
          : undefined,
        exitCode: exitCodes.execFailed,
        cause,
      }),
    );
  });
  child.once("exit", (code) => resolve(code ?? exitCodes.failure));
  return promise.finally(() => passed[Symbol.dispose]());
}

/**
 * What a server answered, as arguments of `ssh`: one that begins with a dash would be an option, of which
 * some run commands, and so do other characters in a user's own `ProxyCommand`.
 */
export function checkedAccess(access: SshAccess): SshAccess {
  const { hostname, username, hostKey = "" } = access;
  const fits = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,255}$/.test(username) &&
    /^(?:[A-Za-z0-9][A-Za-z0-9.-]{0,252}|[0-9a-f:]{2,45}|\[[0-9a-f:]{2,45}\])(?::\d{1,5})?$/i
      .test(hostname) &&
    /^[A-Za-z0-9@.+/= -]*$/.test(hostKey);
  if (fits) return access;
  throw new CliError("the server answered with an SSH address that is none", {
    exitCode: exitCodes.failure,
  });
}

/** `host:port`, or a host alone, which means port 22. */
export function splitHostname(hostname: string): { host: string; port: number } {
  const [, host, port] = /^(.*):(\d+)$/.exec(hostname) ?? [undefined, hostname, "22"];
  return { host, port: Number(port) };
}

/** Names below `localhost` are this machine, which not every resolver knows. */
function reachable(host: string): string {
  return /(?:^|\.)localhost$/i.test(host) ? "127.0.0.1" : host;
}

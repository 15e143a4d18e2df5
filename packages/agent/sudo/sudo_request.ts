import { isAbsolute } from "../fs/paths.ts";
import type { SystemAccount } from "./accounts.ts";

/** What the `sudo` of the guest asks for. */
export interface SudoRequest {
  token: string;
  user: string;
  cwd: string;
  /** Letters of the flags that matter: E, H, i, s. */
  flags: string;
  argv: string[];
  /** The caller's environment. */
  callerEnv: Record<string, string>;
  /** Variables given on the command line. */
  extraEnv: Record<string, string>;
}

/** The request that text stands for, which is fields with NULs behind them. */
export function parseSudoRequest(text: string): SudoRequest | undefined {
  const fields = text.split("\0");
  const [version, token, user, cwd, flags, argCount, extraCount] = fields;
  const [args, extras] = [Number(argCount), Number(extraCount)];
  if (version !== "1" || !Number.isInteger(args) || !Number.isInteger(extras)) return undefined;
  if (args < 0 || extras < 0 || !isAbsolute(cwd)) return undefined;
  const rest = fields.slice(7, -1);
  return {
    token,
    user,
    cwd,
    flags,
    argv: rest.slice(0, args),
    extraEnv: variables(rest.slice(args, args + extras)),
    callerEnv: variables(rest.slice(args + extras)),
  };
}

function variables(assignments: string[]): Record<string, string> {
  const result: Record<string, string> = {};
  for (const assignment of assignments) {
    const at = assignment.indexOf("=");
    if (at > 0) result[assignment.slice(0, at)] = assignment.slice(at + 1);
  }
  return result;
}

/** Variables of the caller that other users' commands get without being asked. */
const KEPT =
  /^(?:TERM|COLORTERM|LANG|LANGUAGE|LC_\w+|TZ|DISPLAY|DEBIAN_FRONTEND|(?:https?|no|ftp|all)_proxy)$/i;

export interface SudoCommand {
  command: string;
  args: string[];
  cwd: string;
  env: Record<string, string>;
}

/** What is to be run for a request. */
export function sudoCommand(
  request: SudoRequest,
  target: SystemAccount,
  caller: { name: string; uid: number; gid: number },
  imageEnv: Record<string, string>,
): SudoCommand {
  const { argv, flags, callerEnv, extraEnv } = request;
  const has = (flag: string) => flags.includes(flag);
  const kept = has("E")
    ? callerEnv
    : Object.fromEntries(Object.entries(callerEnv).filter(([key]) => KEPT.test(key)));
  const env: Record<string, string> = {
    ...imageEnv,
    ...kept,
    PATH: imageEnv.PATH,
    HOME: has("E") && !has("H") && callerEnv.HOME ? callerEnv.HOME : target.home,
    USER: target.name,
    LOGNAME: target.name,
    SHELL: target.shell,
    SUDO_USER: caller.name,
    SUDO_UID: String(caller.uid),
    SUDO_GID: String(caller.gid),
    SUDO_COMMAND: argv.join(" "),
    ...extraEnv,
  };
  const shell = has("s") ? callerEnv.SHELL || target.shell : target.shell;
  if (!has("i") && !has("s")) {
    return { command: argv[0], args: argv.slice(1), cwd: request.cwd, env };
  }
  const script = argv.map(quote).join(" ");
  return {
    command: shell,
    args: [...(has("i") ? ["-l"] : []), ...(script ? ["-c", script] : [])],
    cwd: has("i") ? target.home : request.cwd,
    env,
  };
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

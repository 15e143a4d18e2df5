import { type Check, ok, warning } from "./check.ts";
import { runProgram } from "./run_program.ts";

interface Chain {
  family: string;
  table: string;
  name: string;
  hook?: string;
  policy?: string;
}

/** What the links of sandboxes are named by, whichever Paddock they belong to. */
const LINKS = "pk";
const LEGACY_TABLES = "/proc/net/ip_tables_names";

/**
 * A packet must pass every filter of the host: where another one drops what it does not know (Docker's
 * and ufw's do), sandboxes run, but reach nothing.
 */
export async function forwardPolicy(signal: AbortSignal): Promise<Check> {
  const list = await runProgram("nft", ["-j", "list", "chains"], signal);
  if (!list.success) return ok("forward", "not looked at: that takes nft and root");
  const chains = chainsOf(list.output);
  for (const chain of droppingChains(chains)) {
    const { output } = await runProgram(
      "nft",
      ["list", "table", chain.family, chain.table],
      signal,
    );
    if (!letsSandboxesPass(output)) return blocked(chain, chains);
  }
  const legacy = await Deno.readTextFile(LEGACY_TABLES).catch(() => "");
  if (legacy.split("\n").includes("filter")) {
    const { output } = await runProgram("iptables-legacy", ["-S"], signal);
    if (/^-P FORWARD DROP$/m.test(output) && !/^-A \S+ -i pk.* -j ACCEPT$/m.test(output)) {
      const insert = (flag: string) => `iptables-legacy -I FORWARD ${flag} ${LINKS}+ -j ACCEPT`;
      return warning("forward", REASON, `${insert("-i")} && ${insert("-o")}`);
    }
  }
  return ok("forward", "no other packet filter drops what sandboxes send");
}

const REASON = "the host's packet filter drops forwarded packets: sandboxes have no internet";

export function chainsOf(json: string): Chain[] {
  try {
    const { nftables } = JSON.parse(json) as { nftables: { chain?: Chain }[] };
    return nftables.flatMap(({ chain }) => chain ?? []);
  } catch {
    return [];
  }
}

export function droppingChains(chains: Chain[]): Chain[] {
  return chains.filter(({ family, hook, policy }) =>
    hook === "forward" && policy === "drop" && (family === "ip" || family === "inet")
  );
}

/** `table` is its text: some rule in it takes what comes from sandboxes' links. */
export function letsSandboxesPass(table: string): boolean {
  return /iifname "pk[^"]*".*\baccept$/m.test(table);
}

export function blocked(chain: Chain, chains: Chain[]): Check {
  const { family, table, name } = chain;
  const isDocker = chains.some((other) =>
    other.family === family && other.table === table && other.name === "DOCKER-USER"
  );
  // Docker keeps what stands in this chain of its; both ways, since it accepts answers to its own only.
  const into = `${family} ${table} ${isDocker ? "DOCKER-USER" : name}`;
  const insert = (match: string) => `nft insert rule ${into} ${match} '"${LINKS}*"' accept`;
  return warning(
    "forward",
    `${REASON} (chain ${name} of table ${family} ${table}, policy drop${
      isDocker ? ", Docker's" : ""
    })`,
    `${insert("iifname")} && ${insert("oifname")}   # until the next boot or firewall reload`,
  );
}

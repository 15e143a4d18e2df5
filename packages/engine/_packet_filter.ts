import { type Log, runCommand } from "@paddock/driver";
import { PaddockError } from "@paddock/protocol";
import { switchOnForwarding } from "./_ip_forward.ts";
import { formatIpv4Range } from "./_ipv4.ts";
import type { NetworkPlan } from "./_network_plan.ts";

/**
 * Where no guest may go: this network, private and shared ranges, loopback, link-local with its
 * metadata services, benchmarking, multicast and reserved. (Ranges for documentation are left out:
 * they lead nowhere, and some labs number their hosts from them.)
 */
const REFUSED = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  // Azure's platform services, the machine's own certificates among them.
  "168.63.129.16/32",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "224.0.0.0/3",
];

/**
 * One table of nftables for all sandboxes of this engine. Rules speak of their links by wildcard,
 * so that a sandbox comes and goes without a change to them.
 */
export class PacketFilter {
  readonly table: string;
  readonly #links: string;
  readonly #plan: NetworkPlan;

  constructor(namePrefix: string, plan: NetworkPlan) {
    this.table = `paddock_${namePrefix}`;
    this.#links = `"${namePrefix}_*"`;
    this.#plan = plan;
  }

  /** Puts the table in place of an earlier one in one transaction, and lets the host forward. */
  async install(log: Log, signal?: AbortSignal): Promise<void> {
    let run = await runCommand(["nft", "-f", "-"], { signal, stdin: this.ruleset() });
    if (!run.ok) {
      const { stderr } = run;
      run = await runCommand(["nft", "-f", "-"], { signal, stdin: this.ruleset(false) });
      if (run.ok) {
        log.warn("this kernel cannot bound a sandbox's connections (limits.guestConnections)", {
          error: stderr,
          hint: "modprobe nft_connlimit",
        });
      }
    }
    if (!run.ok) {
      throw new PaddockError("HOST_CANNOT_RUN_SANDBOXES", {
        message: "The packet filter for sandboxes could not be set up.",
        cause: new Error(run.stderr),
      });
    }
    switchOnForwarding(log);
  }

  async remove(): Promise<void> {
    await runCommand(["nft", "-f", "-"], {
      stdin: `table inet ${this.table}\ndelete table inet ${this.table}\n`,
    });
  }

  /** `counted`: with a bound on how many connections of one guest the host keeps track of. */
  ruleset(counted = true): string {
    const { range, resolvers, allowPrivate, guestConnections } = this.#plan;
    const own = formatIpv4Range(range);
    const dns = resolvers.length === 0
      ? ""
      : `ip daddr { ${resolvers.join(", ")} } meta l4proto { tcp, udp } th dport 53 accept`;
    const allowed = allowPrivate.map(({ range, port }) =>
      port === undefined
        ? `ip daddr ${range} accept`
        : `ip daddr ${range} meta l4proto { tcp, udp } th dport ${port} accept`
    ).join("\n    ");
    // The host's table of connections is one for all: a guest that fills it cuts off everybody.
    const bound = counted
      ? `ct state new add @busy { ip saddr ct count over ${guestConnections} } goto refuse`
      : "";
    return `table inet ${this.table}
delete table inet ${this.table}
table inet ${this.table} {
  set refused {
    type ipv4_addr
    flags interval
    auto-merge
    elements = { ${[...new Set([...REFUSED, own])].join(", ")} }
  }
  set busy {
    type ipv4_addr
    size ${BUSY_ENTRIES}
    flags dynamic
  }
  chain refuse {
    meta nfproto ipv6 drop
    meta l4proto tcp reject with tcp reset
    reject with icmp admin-prohibited
  }
  chain to_host {
    fib saddr . iif oif missing drop
    ct state established,related accept
    ${bound}
    ${dns}
    goto refuse
  }
  chain from_guest {
    meta nfproto ipv6 drop
    fib saddr . iif oif missing drop
    ct state established,related accept
    ct state invalid drop
    oifname "${LINK_WILDCARD}" goto refuse
    ${bound}
    ${dns}
    ${allowed}
    ip daddr @refused goto refuse
    accept
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname ${this.#links} goto from_guest
    oifname ${this.#links} ct state established,related accept
    oifname ${this.#links} drop
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname ${this.#links} goto to_host
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${own} oifname != "${LINK_WILDCARD}" masquerade
  }
}
`;
  }
}

/** Links of any Paddock on this host. */
const LINK_WILDCARD = "pk*";

/** Guests whose connections are counted at once: more than a node runs. */
const BUSY_ENTRIES = 65_535;

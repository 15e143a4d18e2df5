import { type Log, runCommand } from "@paddock/driver";
import { defaultLimits, PaddockError } from "@paddock/protocol";
import {
  formatIpv4,
  formatIpv4Range,
  type Ipv4Range,
  parseIpv4,
  parseIpv4Range,
  rangeHolds,
  rangeSize,
  rangesOverlap,
} from "./_ipv4.ts";

export interface NetworkOptions {
  /** Where the sandboxes' addresses come from (config key `network.range`). */
  range?: string;
  /** Name servers for the guests; the host's own when not given (`network.resolvers`). */
  resolvers?: string[];
  /** Private addresses that guests may reach: `10.0.5.0/24`, `10.0.6.7:443` (`network.allowPrivate`). */
  allowPrivate?: string[];
}

export interface NetworkPlan {
  range: Ipv4Range;
  resolvers: string[];
  allowPrivate: { range: string; port?: number }[];
  /** How many connections of a guest the host keeps track of. */
  guestConnections: number;
  /** Of the link to the world, so that a guest sends no packet that it cannot carry. */
  mtu: number;
}

/** A slot is a /30: network, host end, guest, broadcast. */
export const SLOT_ADDRESSES = 4;
export const SLOT_PREFIX = 30;
/** A link's name has room for six digits. */
const MAX_SLOTS = 1_000_000;

const RANGE_PREFIX = 16;
const DEFAULT_RANGES = Array.from({ length: 16 }, (_, index) => `10.${201 + index}.0.0/16`);
const LOOPBACK: Ipv4Range = { base: 127 * 2 ** 24, prefix: 8 };
const MAX_RESOLVERS = 3;
const RESOLV_CONF = "/etc/resolv.conf";
/** Where systemd-resolved says which servers stand behind its own loopback address. */
const RESOLVED_CONF = "/run/systemd/resolve/resolv.conf";
const DEFAULT_MTU = 1500;

interface Route {
  dst: string;
  dev?: string;
}

export async function planNetwork(
  options: NetworkOptions,
  log: Log,
  signal?: AbortSignal,
): Promise<NetworkPlan> {
  const run = await runCommand(["ip", "-json", "-4", "route", "show"], { signal });
  if (!run.ok) throw new Error(`ip route failed: ${run.stderr}`);
  const routes: Route[] = JSON.parse(run.stdout || "[]");
  return {
    range: chooseRange(options.range, routes),
    resolvers: chooseResolvers(options.resolvers, log),
    allowPrivate: (options.allowPrivate ?? []).map(parseAllowed),
    guestConnections: defaultLimits.guestConnections,
    mtu: uplinkMtu(routes),
  };
}

/** The namespace part of names that Paddocks give their links; their routes are no clash. */
export const LINK_PREFIX = "pk";

function chooseRange(configured: string | undefined, routes: Route[]): Ipv4Range {
  const taken = routes
    .filter(({ dst, dev }) => dst !== "default" && !dev?.startsWith(LINK_PREFIX))
    .map(({ dst }) => ({ dst, range: parseIpv4Range(dst) }));
  const clash = (range: Ipv4Range) =>
    taken.find((route) => route.range && rangesOverlap(route.range, range))?.dst;
  if (configured === undefined) {
    const free = DEFAULT_RANGES.map((text) => parseIpv4Range(text)!).find((range) => !clash(range));
    if (free) return free;
    throw invalid("range", `The host has routes into all of ${DEFAULT_RANGES.join(", ")}.`);
  }
  const range = parseIpv4Range(configured);
  if (!range || range.prefix < 8 || range.prefix > 28) {
    throw invalid(
      "range",
      `"${configured}" is not an IPv4 range such as 10.201.0.0/${RANGE_PREFIX}.`,
    );
  }
  const other = clash(range);
  if (other) throw invalid("range", `${configured} overlaps the host's route to ${other}.`);
  return range;
}

function chooseResolvers(configured: string[] | undefined, log: Log): string[] {
  if (configured) {
    for (const text of configured) {
      const address = parseIpv4(text);
      if (address === undefined || rangeHolds(LOOPBACK, address)) {
        throw invalid("resolvers", `"${text}" is not an IPv4 address that a guest can reach.`);
      }
    }
    return configured.slice(0, MAX_RESOLVERS);
  }
  for (const path of [RESOLV_CONF, RESOLVED_CONF]) {
    const found = nameServers(path);
    if (found.length > 0) return found.slice(0, MAX_RESOLVERS);
  }
  log.warn("no name server of this host can be reached from a guest: sandboxes have no DNS", {
    read: [RESOLV_CONF, RESOLVED_CONF],
    hint: "set network.resolvers",
  });
  return [];
}

function nameServers(path: string): string[] {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch {
    return [];
  }
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)]
    .map((match) => parseIpv4(match[1]))
    .filter((address) => address !== undefined && !rangeHolds(LOOPBACK, address))
    .map((address) => formatIpv4(address!));
}

function parseAllowed(text: string): { range: string; port?: number } {
  const [rangeText, portText, ...rest] = text.split(":");
  const range = parseIpv4Range(rangeText);
  const port = portText === undefined ? undefined : Number(portText);
  const portIsWrong = port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536);
  if (!range || portIsWrong || rest.length > 0) {
    throw invalid("allowPrivate", `"${text}" is not like 10.0.5.0/24 or 10.0.6.7:443.`);
  }
  return { range: formatIpv4Range(range), ...(port === undefined ? {} : { port }) };
}

function uplinkMtu(routes: Route[]): number {
  const device = routes.find(({ dst }) => dst === "default")?.dev;
  if (!device) return DEFAULT_MTU;
  try {
    const mtu = Number(Deno.readTextFileSync(`/sys/class/net/${device}/mtu`));
    return mtu >= 576 ? Math.min(mtu, DEFAULT_MTU) : DEFAULT_MTU;
  } catch {
    return DEFAULT_MTU;
  }
}

export function slotCount(plan: NetworkPlan): number {
  return Math.min(rangeSize(plan.range.prefix) / SLOT_ADDRESSES, MAX_SLOTS);
}

export function slotAddresses(plan: NetworkPlan, index: number) {
  const base = plan.range.base + index * SLOT_ADDRESSES;
  return { gateway: formatIpv4(base + 1), guestAddress: formatIpv4(base + 2) };
}

function invalid(key: string, message: string): PaddockError {
  return new PaddockError("INVALID_SERVER_CONFIG", { field: `network.${key}`, message });
}

import { type NetworkSlot, runCommand, sleep } from "@paddock/driver";
import { LINK_PREFIX, type NetworkPlan, SLOT_PREFIX, slotAddresses } from "./_network_plan.ts";

/** How long the kernel gets to take a link away with its namespace before it is asked for it. */
const LINK_GONE_MS = 500;

/** A fixed address for the guest's end, so that the host never has to ask who answers there. */
function guestMac(index: number): string {
  const bytes = [0x02, 0x70, index >>> 24, index >>> 16, index >>> 8, index];
  return bytes.map((byte) => (byte & 255).toString(16).padStart(2, "0")).join(":");
}

/** Makes namespaces and links for the slots: one process for the host's side, one per namespace. */
export async function createLinks(
  plan: NetworkPlan,
  slots: { index: number; name: string }[],
): Promise<NetworkSlot[]> {
  const host: string[] = [];
  const made = slots.map(({ index, name }) => {
    const { gateway, guestAddress } = slotAddresses(plan, index);
    host.push(
      `netns add ${name}`,
      `link add ${name} mtu ${plan.mtu} type veth peer name eth0 mtu ${plan.mtu} netns ${name}`,
      `link set dev ${name} addrgenmode none`,
      `addr add ${gateway}/${SLOT_PREFIX} dev ${name}`,
      `link set dev ${name} up`,
      `neigh replace ${guestAddress} lladdr ${guestMac(index)} dev ${name} nud permanent`,
    );
    return { index, namespace: name, guestAddress, gateway, prefixLength: SLOT_PREFIX };
  });
  await batch(["ip", "-batch", "-"], host);
  await Promise.all(made.map((slot) =>
    batch(["ip", "-netns", slot.namespace, "-batch", "-"], [
      `link set dev eth0 address ${guestMac(slot.index)} addrgenmode none`,
      `addr add ${slot.guestAddress}/${slot.prefixLength} dev eth0`,
      "link set dev lo up",
      "link set dev eth0 up",
      `route add default via ${slot.gateway}`,
    ])
  ));
  return made;
}

/**
 * Takes namespaces and links away. Deleting a namespace is quick and takes its link with it in the
 * background, many at once; a link that stays (something else holds the namespace) is deleted.
 */
export async function removeLinks(names: string[]): Promise<void> {
  const namespaces = names.filter((name) => exists(`/run/netns/${name}`));
  if (namespaces.length > 0) {
    await runCommand(["ip", "-force", "-batch", "-"], {
      stdin: namespaces.map((name) => `netns del ${name}\n`).join(""),
    });
  }
  const remaining = () => names.filter((name) => exists(`/sys/class/net/${name}`));
  const end = performance.now() + LINK_GONE_MS;
  while (remaining().length > 0 && performance.now() < end) await sleep(5);
  const stubborn = remaining();
  if (stubborn.length > 0) {
    await runCommand(["ip", "-force", "-batch", "-"], {
      stdin: stubborn.map((name) => `link del dev ${name}\n`).join(""),
    });
  }
  const left = [...remaining(), ...names.filter((name) => exists(`/run/netns/${name}`))];
  if (left.length > 0) throw new Error(`networks could not be removed: ${left.join(", ")}`);
}

/** Names of namespaces and links whose name says that they are this engine's. */
export function leftoverLinks(prefix: string): string[] {
  const names = new Set<string>();
  for (const directory of ["/run/netns", "/sys/class/net"]) {
    try {
      for (const { name } of Deno.readDirSync(directory)) {
        if (name.startsWith(`${prefix}_`)) names.add(name);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return [...names];
}

/** Short enough for a link's name (15 characters) together with any slot number. */
export function linkPrefix(dataDirHash: string): string {
  return `${LINK_PREFIX}${dataDirHash.slice(0, 6)}`;
}

async function batch(argv: string[], lines: string[]): Promise<void> {
  const run = await runCommand(argv, { stdin: lines.join("\n") + "\n" });
  if (!run.ok) throw new Error(`${argv.join(" ")} failed: ${run.stderr}`);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

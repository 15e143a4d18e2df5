import type { NetworkSlot } from "../driver.ts";
import { GUEST_NETWORK } from "./guest_network.ts";

/** Connections of one guest that its namespace keeps track of at once. */
const MAX_CONNECTIONS = 16_384;

export interface TapNetwork {
  /** For `ip -batch`, in the sandbox's namespace. */
  links: string;
  /** For `nft -f`, there too. */
  filter: string;
}

/**
 * How a virtual machine is connected, in commands for the inside of its sandbox's namespace: a tap
 * device that the given user may open, and a translation, one to one, between the address that every
 * guest has and the sandbox's own. It keeps track of connections, for only then do errors of ICMP
 * (a path's smaller packet size) find the connection they speak of. What does not carry the guest's
 * address is dropped before it is looked at, and nothing of the guest reaches the namespace itself.
 * All of it goes with the namespace.
 */
export function tapNetwork(slot: NetworkSlot, uid: number): TapNetwork {
  const { address, gateway, prefixLength, guestMac, gatewayMac, tap } = GUEST_NETWORK;
  const links = [
    `tuntap add dev ${tap} mode tap user ${uid} vnet_hdr`,
    `link set dev ${tap} address ${gatewayMac} addrgenmode none`,
    `addr add ${gateway}/${prefixLength} dev ${tap}`,
    `link set dev ${tap} up`,
    `neigh replace ${address} lladdr ${guestMac} dev ${tap} nud permanent`,
  ];
  // In one transaction, whether there is such a table already or not.
  const filter = `table inet paddock_vm
delete table inet paddock_vm
table inet paddock_vm {
  chain early {
    type filter hook prerouting priority raw; policy accept;
    iifname "${tap}" ip saddr ${address} ip daddr != { ${gateway}, 224.0.0.0/3 } accept
    iifname "${tap}" meta protocol { ip, ip6 } drop
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    ct state new ct count over ${MAX_CONNECTIONS} drop
    iifname "${tap}" oifname "eth0" accept
    iifname "eth0" oifname "${tap}" accept
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname "${tap}" drop
  }
  chain to_guest {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "eth0" ip daddr ${slot.guestAddress} dnat ip to ${address}
  }
  chain from_guest {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "eth0" ip saddr ${address} snat ip to ${slot.guestAddress}
  }
}
`;
  return { links: links.map((line) => `${line}\n`).join(""), filter };
}

/**
 * Does it, as a piece of a shell script that runs in the namespace, with the commands in `$links` and
 * `$filter`. A namespace in which a machine was before is set right again.
 */
export const TAP_NETWORK_SCRIPT = `if [ -e /proc/sys/net/ipv4/conf/${GUEST_NETWORK.tap} ]; then
  ip link del dev ${GUEST_NETWORK.tap}
fi
printf '%s' "$links" | ip -batch -
printf '%s' "$filter" | nft -f -
echo 1 > /proc/sys/net/ipv4/ip_forward
`;

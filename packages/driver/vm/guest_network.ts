/**
 * Every virtual machine has this address, whatever its sandbox's is: one that is restored goes on
 * with the address it had, and its namespace translates. From the end of the range for carriers'
 * own use, so that it hides nothing that a guest would want to reach.
 */
export const GUEST_NETWORK = {
  address: "100.127.255.2",
  /** The namespace's end of the tap device. */
  gateway: "100.127.255.1",
  prefixLength: 30,
  /** Fixed on both ends as well: neither has to ask again who answers where. */
  guestMac: "02:70:00:00:00:02",
  gatewayMac: "02:70:00:00:00:01",
  tap: "tap0",
} as const;

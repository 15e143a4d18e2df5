import type { Log } from "@paddock/driver";

const SETTING = "/proc/sys/net/ipv4/ip_forward";

/**
 * Lets the host pass packets on, which sandboxes need to reach the internet. It stays on when the
 * engine ends: other programs that found it on may have come to count on it.
 */
export function switchOnForwarding(log: Log, setting = SETTING): void {
  if (Deno.readTextFileSync(setting).trim() === "1") return;
  Deno.writeTextFileSync(setting, "1");
  log.info("switched on IPv4 forwarding on this host (net.ipv4.ip_forward); it stays on", {
    hint: "docs/configuration.md says what that means for this host",
  });
}

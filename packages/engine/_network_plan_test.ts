import { strict as assert } from "node:assert";
import { silentLog } from "@paddock/driver";
import { planNetwork, slotAddresses, slotCount } from "./_network_plan.ts";
import { PacketFilter } from "./_packet_filter.ts";

Deno.test("the network's plan comes from the host where nothing is configured", async () => {
  const plan = await planNetwork({}, silentLog);
  assert.equal(slotCount(plan), 16_384);
  const { gateway, guestAddress } = slotAddresses(plan, 64);
  assert.match(gateway, /^10\.2\d\d\.1\.1$/);
  assert.match(guestAddress, /^10\.2\d\d\.1\.2$/);
  assert.ok(plan.mtu >= 576 && plan.mtu <= 1500);
  assert.ok(plan.resolvers.every((address) => !address.startsWith("127.")));
});

Deno.test("what is configured is checked, and refused with its key", async () => {
  const wrong: [object, string][] = [
    [{ range: "10.201.0.1/16" }, "network.range"],
    [{ range: "10.201.0.0/30" }, "network.range"],
    [{ range: "fd00::/64" }, "network.range"],
    [{ resolvers: ["127.0.0.53"] }, "network.resolvers"],
    [{ resolvers: ["ns.example.com"] }, "network.resolvers"],
    [{ allowPrivate: ["10.0.0.0/8 accept; drop"] }, "network.allowPrivate"],
    [{ allowPrivate: ["10.0.0.1:0"] }, "network.allowPrivate"],
    [{ allowPrivate: ["10.0.0.1:443:1"] }, "network.allowPrivate"],
  ];
  for (const [options, field] of wrong) {
    await assert.rejects(planNetwork(options, silentLog), { code: "INVALID_SERVER_CONFIG", field });
  }
  const plan = await planNetwork({
    range: "10.240.0.0/20",
    resolvers: ["10.9.9.9"],
    allowPrivate: ["10.0.5.0/24", "10.0.6.7:443"],
  }, silentLog);
  assert.equal(slotCount(plan), 1024);
  assert.deepEqual(plan.allowPrivate, [
    { range: "10.0.5.0/24" },
    { range: "10.0.6.7/32", port: 443 },
  ]);
  const rules = new PacketFilter("pkabcdef", plan).ruleset();
  assert.match(rules, /ip daddr { 10\.9\.9\.9 } meta l4proto { tcp, udp } th dport 53 accept/);
  assert.ok(
    rules.indexOf("10.0.6.7/32") < rules.indexOf("ip daddr @refused"),
    "allowed goes first",
  );
  for (const chain of ["to_host", "from_guest"]) {
    const body = rules.slice(rules.indexOf(`chain ${chain} {`));
    const order = ["fib saddr", "established", "ct count over 4096", "dport 53"];
    const at = order.map((text) => body.indexOf(text));
    assert.deepEqual(at, at.toSorted((a, b) => a - b), chain);
  }
});

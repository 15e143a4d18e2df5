import assert from "node:assert/strict";
import { blocked, chainsOf, droppingChains, letsSandboxesPass } from "./forward_policy.ts";

const DOCKER = `table ip filter {
  chain DOCKER-USER { }
  chain FORWARD {
    type filter hook forward priority filter; policy drop;
    jump DOCKER-USER
  }
}
table inet paddock_pk000000 {
  chain forward { type filter hook forward priority filter; policy accept; }
}`;

/** Runs a script in a network namespace of its own, where nft's rules are nobody else's. */
async function inNamespace(script: string): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command("unshare", {
    args: [...Deno.uid() === 0 ? [] : ["--map-root-user"], "--net", "--", "sh", "-ec", script],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).split("=====\n");
}

Deno.test("a filter that drops what it forwards is found, and the fix opens it", async () => {
  const load = `nft -f - <<'END'\n${DOCKER}\nEND\nnft -j list chains; echo =====\n`;
  const list = "nft list table ip filter\n";
  const [json, before] = await inNamespace(load + list);
  const chains = chainsOf(json);
  const dropping = droppingChains(chains);
  assert.deepEqual(dropping.map(({ table, name }) => [table, name]), [["filter", "FORWARD"]]);
  assert.equal(letsSandboxesPass(before), false);
  const check = blocked(dropping[0], chains);
  assert.equal(check.status, "warning");
  assert.match(check.detail, /Docker's/);
  assert.match(check.fix!, /DOCKER-USER iifname/);
  const [, after] = await inNamespace(`${load}${check.fix}\n${list}`);
  assert.equal(letsSandboxesPass(after), true, after);
});

Deno.test("a host without such a filter has none to name", () => {
  assert.deepEqual(droppingChains(chainsOf("not JSON")), []);
});

import { strict as assert } from "node:assert";
import type { SandboxMetadata } from "@paddock/sandbox";
import { forkTree, renderTree } from "./tree.ts";

Deno.test("forks stand below their originals, and nothing that has ended without copies", () => {
  const sandbox = (id: string, parent: string | null, status: "running" | "stopped" = "running") =>
    ({
      id,
      parent,
      status,
      labels: { is: id },
      createdAt: new Date(0),
    }) as unknown as SandboxMetadata;
  // As listings are: newest first.
  const items = [
    sandbox("f", "forgotten"),
    sandbox("e", "d", "stopped"),
    sandbox("d", null),
    sandbox("c", "b"),
    sandbox("b2", "a"),
    sandbox("b", "a", "stopped"),
    sandbox("a", null),
    sandbox("z", null, "stopped"),
  ];
  assert.equal(
    renderTree(forkTree(items), 60_000),
    [
      "a  1m  is=a",
      "├─ b  stopped  is=b",
      "│  └─ c  1m  is=c",
      "└─ b2  1m  is=b2",
      "d  1m  is=d",
      "f  1m  is=f",
    ].join("\n"),
  );
});

import assert from "node:assert/strict";
import fc from "fast-check";
import { PaddockError } from "./paddock_error.ts";
import { type TreeStep as Step, treeSteps } from "./testing/tree_steps.ts";
import { isPlainName, TreeDecoder, TreeEncoder } from "./tree_stream.ts";

/** Encodes into views of the given sizes, in turn. */
async function encode(steps: Step[], sizes: number[]): Promise<Uint8Array[]> {
  const encoder = new TreeEncoder(treeSteps(steps));
  const chunks: Uint8Array[] = [];
  for (let i = 0;; i++) {
    const view = new Uint8Array(sizes[i % sizes.length]);
    const filled = await encoder.fill(view);
    if (filled === 0) return chunks;
    chunks.push(view.subarray(0, filled));
  }
}

function decode(chunks: Uint8Array[]): Step[] {
  const steps: Step[] = [];
  let parts: Uint8Array[] = [];
  const decoder = new TreeDecoder({
    entry: (entry) => steps.push({ ...entry }),
    content: (bytes) => parts.push(bytes.slice()),
    fileEnd() {
      steps.at(-1)!.content = new Uint8Array(parts.flatMap((part) => [...part]));
      parts = [];
    },
  });
  for (const chunk of chunks) decoder.push(chunk);
  decoder.end();
  return steps;
}

const names = fc.oneof(fc.string({ minLength: 1, maxLength: 20 }), fc.constant("a\nb"));
const leaf: fc.Arbitrary<Step[]> = fc.oneof(
  fc.record({ name: names, content: fc.uint8Array({ maxLength: 3000 }), more: fc.nat(5) }).map(
    ({ name, content, more }) => [
      { type: "file", name, mode: 0o644, size: content.length + more, content } as Step,
    ],
  ),
  fc.record({ name: names, target: fc.string() }).map((it) => [{ type: "link", ...it } as Step]),
  names.map((name) => [{ type: "other", name } as Step]),
);
const { tree } = fc.letrec<{ tree: Step[] }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "small" },
    leaf,
    fc.record({ name: names, inside: fc.array(tie("tree"), { maxLength: 5 }) }).map(
      ({ name, inside }) => [
        { type: "directory", name, mode: 0o750 } as Step,
        ...inside.flat(),
        { type: "up" } as Step,
      ],
    ),
  ),
}));
const rooted = tree.map(([first, ...rest]) => [{ ...first, name: "" } as Step, ...rest]);

Deno.test("any tree arrives as it was, however it is cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      rooted,
      fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 4 }),
      async (steps, sizes) => {
        assert.deepEqual(decode(await encode(steps, sizes)), steps);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("a stream that was cut off, or that goes on, is refused", async () => {
  const steps: Step[] = [
    { type: "directory", name: "", mode: 0o755 },
    { type: "file", name: "a", mode: 0o644, size: 3, content: new Uint8Array([1, 2, 3]) },
    { type: "up" },
  ];
  const bytes = (await encode(steps, [1000]))[0];
  for (let cut = 0; cut < bytes.length; cut++) {
    assert.throws(() => decode([bytes.subarray(0, cut)]), { code: "INVALID_TREE" });
  }
  assert.throws(() => decode([bytes, bytes]), { code: "INVALID_TREE" });
  assert.throws(() => decode([bytes, Uint8Array.of(0)]), { code: "INVALID_TREE" });
});

Deno.test("what a hostile writer may send is refused", async () => {
  const hostile: Step[][] = [
    [{ type: "file", name: "named", mode: 0o644, size: 0 }],
    [{ type: "up" }],
    [{ type: "directory", name: "", mode: 0o755 }, { type: "up" }, { type: "up" }],
    [{ type: "directory", name: "", mode: 0o755 }, { type: "link", name: "", target: "x" }],
    [{ type: "file", name: "", mode: 0o644, size: 2, content: new Uint8Array(3) }],
    [{ type: "file", name: "", mode: 0o10000, size: 0 }],
    [{ type: "file", name: "", mode: 0o644, size: -1 }],
    [{ type: "directory", name: "", mode: 0o755, extra: 1 } as Step],
    [{ type: "directory", name: "x".repeat(70_000), mode: 0o755 }],
    Array.from(
      { length: 2_002 },
      (_, i): Step =>
        i > 1_000 ? { type: "up" } : { type: "directory", name: i === 0 ? "" : "d", mode: 0o755 },
    ),
  ];
  const deepest = hostile.at(-1)!.slice(1, -1).map((step, i) =>
    i === 0 ? { ...step, name: "" } : step
  );
  assert.equal(decode(await encode(deepest as Step[], [100_000])).length, 2_000);
  for (const steps of hostile) {
    const chunks = await encode(steps, [100_000]);
    assert.throws(() => decode(chunks), { code: "INVALID_TREE" }, JSON.stringify(steps[0]));
  }
});

Deno.test("random bytes never get further than an error of ours", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (chunks) => {
      try {
        decode(chunks);
        assert.fail("it cannot be a tree");
      } catch (error) {
        assert.ok(error instanceof PaddockError, String(error));
      }
    }),
  );
});

Deno.test("a plain name leads nowhere else", () => {
  for (const name of ["a", "...", "a b", "-rf", "a\nb", "~", "C:"]) assert.ok(isPlainName(name));
  for (const name of ["", ".", "..", "a/b", "/a", "../a", "a\0"]) assert.ok(!isPlainName(name));
});

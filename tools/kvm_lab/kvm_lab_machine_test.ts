import { strict as assert } from "node:assert";
import { labBinaries } from "./lab_inputs.ts";
import { runLab } from "./run_lab.ts";

const binaries = labBinaries();
const reason = "reason" in binaries ? binaries.reason : undefined;

Deno.test({
  name: `KVM lab: a command has a real KVM, this checkout, and its exit code comes back${
    reason ? `: skipped, for ${reason}` : ""
  }`,
  ignore: reason !== undefined,
  fn: async () => {
    if ("reason" in binaries) return;
    const decoder = new TextDecoder();
    let output = "";
    const script = 'test -c /dev/kvm && dmesg | grep -c "kvm_amd: Nested Paging enabled" && ' +
      'cat "$WHAT" && "$PADDOCK_FIRECRACKER" --version && exit 7';
    const code = await runLab({
      binaries,
      command: ["sh", "-c", script],
      env: { WHAT: "tools/kvm_lab/guest/init" },
      memoryMb: 2_048,
      timeoutMs: 8 * 60_000,
      signal: new AbortController().signal,
      say: (line) => console.log(line),
      onOutput: (chunk) => output += decoder.decode(chunk, { stream: true }),
    });
    assert.equal(code, 7, output);
    assert.match(output, /^1\n/);
    assert.ok(output.includes(await Deno.readTextFile(new URL("guest/init", import.meta.url))));
    assert.match(output, /Firecracker v\d/);
  },
});

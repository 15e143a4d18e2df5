import { strict as assert } from "node:assert";
import { defaultDataDir as dataDir } from "../../images/image_store.ts";
import { ensureVmGuest } from "../../images/vm/vm_guest.ts";
import { createFirecrackerDriver } from "./firecracker_driver.ts";

const boot = await ensureVmGuest({ dataDir });

async function problemsWith(firecrackerPath: string, jailerPath: string): Promise<string> {
  const driver = createFirecrackerDriver({
    ...{ firecrackerPath, jailerPath, boot },
    stateDir: "/nonexistent/state",
    cacheDir: "/nonexistent/cache",
  });
  const result = await driver.probe(AbortSignal.timeout(60_000));
  assert.equal(result.works, false);
  assert.deepEqual(result.capabilities, []);
  return result.problems.join("\n");
}

Deno.test("firecracker: the probe says which program is missing, wrong, or of which version", async () => {
  const directory = await Deno.makeTempDir({ prefix: "paddock-probe-" });
  try {
    const program = async (name: string, says: string) => {
      const path = `${directory}/${name}`;
      await Deno.writeTextFile(path, `#!/bin/sh\necho '${says}'\n`, { mode: 0o755 });
      return path;
    };
    const fc = await program("fc", "Firecracker v1.16.1");
    const jailer = await program("jailer", "Jailer v1.16.1");
    assert.match(
      await problemsWith("/no/such/firecracker", jailer),
      /no \/no\/such\/firecracker that can be run.*paddock setup firecracker/,
    );
    assert.match(await problemsWith(fc, jailer.replace("jailer", "none")), /none that can be run/);
    assert.match(await problemsWith(jailer, jailer), /is not Firecracker/);
    assert.match(
      await problemsWith(await program("old", "Firecracker v1.10.1"), jailer),
      /This is Firecracker 1\.10\.1; Paddock works with 1\.15\.0 up to, not including, 2\.0\.0/,
    );
    assert.match(
      await problemsWith(await program("newer", "Firecracker v1.17.0"), jailer),
      /Firecracker 1\.17\.0 and its jailer 1\.16\.1 must be of one version/,
    );
    // These two pass for the right version, and then are no machine: the boot shows it.
    if (await hasKvm()) {
      assert.match(
        await problemsWith(fc, jailer),
        /could not boot a kernel|no kernel runs with it/,
      );
    } else assert.match(await problemsWith(fc, jailer), /\/dev\/kvm/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

const [firecracker, jailer] = ["PADDOCK_FIRECRACKER", "PADDOCK_JAILER"].map((name) =>
  Deno.env.get(name)
);
const reason = !firecracker || !jailer
  ? "skipped, for PADDOCK_FIRECRACKER and PADDOCK_JAILER name no binaries"
  : Deno.env.has("PADDOCK_KVM_LAB")
  ? "skipped, for the lab's KVM runs kernels"
  : undefined;

Deno.test({
  name: `firecracker: a KVM that runs no kernel is told from one that does${
    reason ? `: ${reason}` : ""
  }`,
  ignore: reason !== undefined,
  fn: async () => {
    const problems = await problemsWith(firecracker!, jailer!);
    assert.match(problems, /\/dev\/kvm opens, but no kernel runs with it|no \/dev\/kvm/);
    const left = await new Deno.Command("ps", { args: ["-eo", "args"] }).output();
    assert.doesNotMatch(new TextDecoder().decode(left.stdout), /firecracker --id probe/);
  },
});

async function hasKvm(): Promise<boolean> {
  return await Deno.stat("/dev/kvm").then(() => true, () => false);
}

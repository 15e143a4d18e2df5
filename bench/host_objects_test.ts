import { strict as assert } from "node:assert";
import { growthOf, hostObjects, ownerOf } from "./host_objects.ts";

Deno.test("what a process opens is seen; what is others' is not counted", async () => {
  const child = new Deno.Command("sh", {
    args: [
      "-c",
      "echo ready; read _; exec 3< /dev/null 4< /dev/null 5< /dev/null; echo opened; read _",
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = child.stdin.getWriter();
  const output = child.stdout.getReader();
  try {
    const owner = { daemonPid: child.pid, dataDir: "/no/such/directory", namespaces: "pkzzzzzz_" };
    assert.equal(new TextDecoder().decode((await output.read()).value), "ready\n");
    const before = await hostObjects(owner);
    await input.write(new TextEncoder().encode("\n"));
    const { value } = await output.read();
    assert.equal(new TextDecoder().decode(value), "opened\n");
    const objects = await hostObjects(owner);
    assert.equal(growthOf(before, objects).descriptors, 3);
    assert.ok(objects.residentMb > 0);
    const { networkNamespaces, mounts, cgroups, loopDevices } = objects;
    assert.deepEqual([networkNamespaces, mounts, cgroups, loopDevices], [0, 0, 0, 0]);
  } finally {
    await input.close();
    await output.cancel();
    await child.status;
  }
});

Deno.test("a daemon is known by the network of its sandbox", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "paddock-bench-" });
  try {
    const write = async (path: string) => {
      await Deno.mkdir(`${dataDir}/sandboxes/sbx_a`, { recursive: true });
      const config = { linux: { namespaces: [{ type: "pid" }, { type: "network", path }] } };
      await Deno.writeTextFile(`${dataDir}/sandboxes/sbx_a/config.json`, JSON.stringify(config));
    };
    await write("/run/netns/pk7d8257_9771");
    const owner = await ownerOf({ daemonPid: 1, dataDir }, "sbx_a");
    assert.deepEqual(owner, { daemonPid: 1, dataDir, namespaces: "pk7d8257_" });
    await write("/run/netns/other");
    await assert.rejects(
      ownerOf({ daemonPid: 1, dataDir }, "sbx_a"),
      /not the name of a network slot/,
    );
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

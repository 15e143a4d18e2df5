import assert from "node:assert/strict";
import { repositoryRoot } from "../../images/repository_root.ts";

// Setup itself, on this host, with parts of the host hidden from it by mounts of its own namespace.

interface Run {
  code: number;
  output: string;
  seconds: number;
}

async function runSetup(disguise: string, ...prefix: string[]): Promise<Run> {
  const started = performance.now();
  const { code, stdout, stderr } = await new Deno.Command("unshare", {
    args: [
      ...["--mount", "sh", "-ec", `${disguise}\nexec "$@"`, "sh"],
      ...[...prefix, "node", "tools/setup/setup.mjs"],
    ],
    cwd: repositoryRoot,
    signal: AbortSignal.timeout(120_000),
  }).output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return { code, output, seconds: (performance.now() - started) / 1000 };
}

const without = (path: string) => `mount --bind /dev/null ${path}`;

Deno.test("a second run has nothing to do, says nothing and is quick", async () => {
  const first = await runSetup("");
  assert.equal(first.code, 0, first.output);
  const second = await runSetup("");
  assert.equal(second.code, 0, second.output);
  assert.equal(second.output, "");
  assert(second.seconds < 5, `${second.seconds} s`);
});

Deno.test("on another distribution it names what to install", async () => {
  const release = await Deno.makeTempFile({ prefix: "paddock-os-release-" });
  try {
    await Deno.writeTextFile(release, 'ID=fedora\nPRETTY_NAME="Fedora Linux 42"\n');
    const disguise = `mount --bind ${release} /etc/os-release`;
    const complete = await runSetup(disguise);
    assert.equal(complete.code, 0, complete.output);
    const { code, output } = await runSetup(`${disguise}\n${without("/usr/bin/mmdebstrap")}`);
    assert.equal(code, 1);
    assert.match(output, /Fedora Linux 42/);
    assert.match(output, /mmdebstrap for building the guest image/);
    assert(!output.includes("runsc"), "what is there is not asked for");
  } finally {
    await Deno.remove(release);
  }
});

Deno.test("without root it says what root would install", async () => {
  const { code, output } = await runSetup(
    without("/usr/sbin/nft"),
    ...["setpriv", "--reuid=65534", "--clear-groups"],
  );
  assert.equal(code, 1);
  assert.match(output, /needs root/);
  assert.match(output, /apt-get install nftables/);
});

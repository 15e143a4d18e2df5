import assert from "node:assert/strict";
import { repositoryRoot } from "../../images/repository_root.ts";

// Setup itself, on this host, with parts of the host hidden from it by mounts of its own namespace.

interface Run {
  code: number;
  output: string;
}

async function runSetup(
  disguise: string,
  flags: string[] = [],
  prefix: string[] = [],
): Promise<Run> {
  const { code, stdout, stderr } = await new Deno.Command("unshare", {
    args: [
      ...["--mount", "sh", "-ec", `${disguise}\nexec "$@"`, "sh"],
      ...[...prefix, "node", "tools/setup/setup.mjs", ...flags],
    ],
    cwd: repositoryRoot,
    signal: AbortSignal.timeout(120_000),
  }).output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return { code, output };
}

const without = (path: string) => `mount --bind /dev/null ${path}`;

Deno.test("a second run has nothing to do, and says nothing", async () => {
  const first = await runSetup("", ["--tests"]);
  assert.equal(first.code, 0, first.output);
  const second = await runSetup("", ["--tests"]);
  assert.equal(second.code, 0, second.output);
  assert.equal(second.output, "");
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

Deno.test("a browser and SSH clients are asked for by the tests alone", async () => {
  // A disguise as another distribution, so that nothing is installed for this test.
  const release = await Deno.makeTempFile({ prefix: "paddock-os-release-" });
  try {
    await Deno.writeTextFile(release, 'ID=fedora\nPRETTY_NAME="Fedora Linux 42"\n');
    const hidden = ["chromium", "sftp"].map((name) => without(`/usr/bin/${name}`));
    const disguise = [`mount --bind ${release} /etc/os-release`, ...hidden].join("\n");
    const plain = await runSetup(disguise);
    assert.equal(plain.code, 0, plain.output);
    const { code, output } = await runSetup(disguise, ["--tests"]);
    assert.equal(code, 1);
    assert.match(output, /chromium for testing pages in a browser/);
    assert.match(output, /sftp for testing SSH \(Debian: openssh-client\)/);
    assert(!output.includes("  ssh for"), "what is there is not asked for");
  } finally {
    await Deno.remove(release);
  }
});

Deno.test("a host where *.localhost does not resolve is asked to learn it", async () => {
  // As it is without the package: the module's file is there, and nobody is told to ask it.
  const without = `sed 's/ myhostname//' /etc/nsswitch.conf > "$NSS"
mount --bind "$NSS" /etc/nsswitch.conf
! getent ahosts x.sandbox.localhost > /dev/null`;
  const nss = await Deno.makeTempFile({ prefix: "paddock-nsswitch-" });
  try {
    const prefix = ["setpriv", "--reuid=65534", "--clear-groups"];
    const { code, output } = await runSetup(`NSS=${nss}\n${without}`, [], prefix);
    assert.equal(code, 1);
    assert.match(output, /names below \.localhost for opening preview URLs on this host/);
    assert.match(output, /apt-get install libnss-myhostname/);
  } finally {
    await Deno.remove(nss);
  }
});

Deno.test("without root it says what root would install", async () => {
  const { code, output } = await runSetup(
    without("/usr/sbin/nft"),
    [],
    ["setpriv", "--reuid=65534", "--clear-groups"],
  );
  assert.equal(code, 1);
  assert.match(output, /needs root/);
  assert.match(output, /apt-get install nftables/);
});

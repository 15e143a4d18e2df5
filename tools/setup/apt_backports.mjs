import { access, writeFile } from "node:fs/promises";
import { listAptTargets, updateAptLists } from "./apt.mjs";
import { SetupError } from "./setup_error.mjs";

const sourceFile = "/etc/apt/sources.list.d/paddock-backports.sources";
const archiveKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Makes sure that apt knows the release's backports, from the mirror that the host uses already. */
export async function ensureBackports({ host, progress, signal }) {
  const suite = `${host.codename}-backports`;
  let targets = await listAptTargets({ signal });
  if (targets.length === 0) {
    // A fresh machine or container has sources but has never read them.
    await updateAptLists({ progress, signal });
    targets = await listAptTargets({ signal });
  }
  if (targets.some((target) => target.suite === suite)) return suite;
  const main = targets.find((target) =>
    target.suite === host.codename && target.component === "main"
  );
  if (!main) {
    throw new SetupError(
      `what Paddock needs comes from ${suite}, but apt has no source for ${host.codename} main to take the ` +
        `mirror from; add ${suite} to apt's sources and run this again`,
    );
  }
  const text = sourceText({
    uri: main.uri,
    suite,
    keyring: await access(archiveKeyring).then(() => archiveKeyring, () => undefined),
  });
  progress.say(
    `setup: adding an apt source for ${suite} (${host.codename} itself has too old a runsc and QEMU):\n` +
      `setup:   ${sourceFile}, mirror ${main.uri}; remove that file to undo it`,
  );
  await writeFile(sourceFile, text, { mode: 0o644 });
  return suite;
}

export function sourceText({ uri, suite, keyring }) {
  const lines = [
    "# Written by Paddock's setup: runsc (gVisor) and QEMU come from here.",
    "Types: deb",
    `URIs: ${uri}`,
    `Suites: ${suite}`,
    "Components: main",
    ...(keyring ? [`Signed-By: ${keyring}`] : []),
  ];
  return `${lines.join("\n")}\n`;
}

import { installWithApt, updateAptLists } from "./apt.mjs";
import { ensureBackports } from "./apt_backports.mjs";
import { findMissingPrograms } from "./required_programs.mjs";
import { SetupError } from "./setup_error.mjs";

/** Debian 12's own are of 2022: that runsc cannot restore checkpoints, nor that QEMU share memory. */
const tooOldInBookworm = new Set(["runsc", "qemu-system-x86_64"]);

/** Installs by apt what is missing on this host, or says what to install. */
export async function installSystemPackages({ host, tests, progress, signal }) {
  const missing = await findMissingPrograms({ tests });
  const packages = [...new Set(missing.flatMap((entry) => [entry.package, ...(entry.with ?? [])]))];
  if (packages.length === 0) return false;
  if (host.id !== "debian" && host.id !== "ubuntu") {
    throw new SetupError(
      `this is ${host.name}, where setup does not know the package manager.\n${describe(missing)}`,
    );
  }
  if (!host.isRoot) {
    throw new SetupError(
      `installing packages needs root: run this again as root, or install them yourself.\n` +
        `${describe(missing)}\n  apt-get install ${packages.join(" ")}`,
    );
  }
  const from = new Map();
  const newer = missing.filter(({ program }) => tooOldInBookworm.has(program));
  if (host.id === "debian" && host.codename === "bookworm" && newer.length > 0) {
    const suite = await ensureBackports({ host, progress, signal });
    for (const entry of newer) {
      for (const name of [entry.package, ...(entry.with ?? [])]) from.set(name, suite);
    }
  }
  await updateAptLists({ progress, signal });
  await installWithApt({ packages, from, progress, signal });
  const still = await findMissingPrograms({ tests });
  if (still.length > 0) {
    throw new SetupError(
      `apt ended well, but something is still missing.\n${describe(still)}`,
    );
  }
  return true;
}

function describe(missing) {
  return missing
    .map(({ program, package: name, for: why }) => `  ${program} for ${why} (Debian: ${name})`)
    .join("\n");
}

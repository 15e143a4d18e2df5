import { installWithApt, updateAptLists } from "./apt.mjs";
import { ensureBackports } from "./apt_backports.mjs";
import { findMissingPrograms } from "./required_programs.mjs";
import { SetupError } from "./setup_error.mjs";

/** Installs by apt what is missing on this host, or says what to install. */
export async function installSystemPackages({ host, progress, signal }) {
  const missing = await findMissingPrograms();
  const packages = [...new Set(missing.map((entry) => entry.package))];
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
  if (host.id === "debian" && host.codename === "bookworm" && packages.includes("runsc")) {
    // Debian 12's own runsc is of 2022 and cannot restore checkpoints.
    from.set("runsc", await ensureBackports({ host, progress, signal }));
  }
  await updateAptLists({ progress, signal });
  await installWithApt({ packages, from, progress, signal });
  const still = await findMissingPrograms();
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

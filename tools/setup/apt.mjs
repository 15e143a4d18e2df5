import { setTimeout as delay } from "node:timers/promises";
import { runProgram } from "./run_program.mjs";

const updateTimeoutMs = 5 * 60_000;
const installTimeoutMs = 20 * 60_000;
/** How long another apt or dpkg (an unattended upgrade, say) may hold its locks. */
const lockTimeoutMs = 5 * 60_000;

const env = {
  ...process.env,
  DEBIAN_FRONTEND: "noninteractive",
  NEEDRESTART_MODE: "a",
  LC_ALL: "C.UTF-8",
};

/** The package indexes that apt is configured for: `{uri, suite, component}`. */
export async function listAptTargets({ signal }) {
  const format = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)";
  const lines = await runProgram(
    "apt-get",
    ["indextargets", "--format", format, "Created-By: Packages"],
    { timeoutMs: 60_000, signal, env, what: "apt-get indextargets" },
  );
  return lines.map(parseTarget);
}

export function parseTarget(line) {
  const [uri, suite, component] = line.split("|");
  return { uri, suite, component };
}

export async function updateAptLists({ progress, signal }) {
  progress.update(5, "apt-get update");
  // The lock of the lists has no waiting option of its own, unlike dpkg's.
  await withLockRetry(
    { progress, signal },
    () =>
      runProgram("apt-get", ["update", "-q", "-o", "Acquire::Retries=3"], {
        timeoutMs: updateTimeoutMs,
        signal,
        env,
        what: "apt-get update",
      }),
  );
}

/** `from` maps a package to the suite it must come from. */
export async function installWithApt({ packages, from, progress, signal }) {
  const wanted = packages.map((name) => from.has(name) ? `${name}/${from.get(name)}` : name);
  const shown = `apt-get install ${wanted.join(" ")}`;
  progress.update(10, shown);
  await withLockRetry({ progress, signal }, () =>
    runProgram(
      "apt-get",
      [
        "install",
        "-q",
        "-y",
        "--no-install-recommends",
        "-o",
        `DPkg::Lock::Timeout=${lockTimeoutMs / 1000}`,
        "-o",
        "APT::Status-Fd=3",
        "-o",
        "Acquire::Retries=3",
        ...wanted,
      ],
      {
        timeoutMs: installTimeoutMs,
        signal,
        env,
        what: shown,
        onStatus: (line) => {
          const status = parseStatus(line);
          if (status) progress.update(10 + status.percent * 0.9, shown);
        },
      },
    ));
}

/** A line of apt's status: `dlstatus:1:20.5:Retrieving …` or `pmstatus:runsc:60.0:Unpacking …`. */
export function parseStatus(line) {
  const match = line.match(/^(dlstatus|pmstatus):[^:]*:([\d.]+):(.*)$/);
  if (!match) return undefined;
  const share = Number(match[2]) / 2;
  return { percent: match[1] === "dlstatus" ? share : 50 + share, what: match[3] };
}

async function withLockRetry({ progress, signal }, run) {
  const giveUpAt = Date.now() + lockTimeoutMs;
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (!/Could not get lock|Unable to lock|is held by process/.test(error.message)) throw error;
      if (Date.now() > giveUpAt) throw error;
      progress.update(5, "waiting for another apt to finish");
      await delay(1_000, undefined, { signal });
    }
  }
}

import { listAptTargets, updateAptLists } from "./apt.mjs";
import { runBuilder } from "./guest_image.mjs";

/** Builds what virtual machines boot, and packs the guest image for them, unless it is all there. */
export async function buildVmGuest({ host, progress, signal }) {
  const isDebian = host.id === "debian" || host.id === "ubuntu";
  // The kernel comes by apt, and a fresh machine has never read its lists.
  if (isDebian && (await listAptTargets({ signal })).length === 0) {
    await updateAptLists({ progress, signal });
  }
  return await runBuilder("images/vm/main.ts", "what virtual machines boot", {
    host,
    progress,
    signal,
  });
}

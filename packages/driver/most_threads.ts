/** Threads that all programs of this host may have together. */
export function mostThreads(): number {
  const limits = ["pid_max", "threads-max"];
  return Math.min(
    ...limits.map((name) => Number(Deno.readTextFileSync(`/proc/sys/kernel/${name}`))),
  );
}

/** What gVisor says that its kernel is. Others lose nothing. */
const GVISOR_BUILD = "#1 SMP Sun Jan 10 15:06:54 PST 2016";
/** Where nothing of a user's runs: the first process, the agent and its spare REPL. */
const OURS = 3;

/**
 * Has the programs of a restored machine make their registrations for events anew, see `epoll_guard.c`:
 * gVisor may have lost some. Needs root.
 */
export function mendEventLoops(): void {
  if (!Deno.readTextFileSync("/proc/version").includes(GVISOR_BUILD)) return;
  const pids = [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter(
    Number.isInteger,
  );
  if (pids.length <= OURS) return;
  for (const pid of pids) {
    try {
      // The first process would pass it on.
      if (pid !== 1) Deno.kill(pid, "SIGURG");
    } catch {
      // It has ended.
    }
  }
}

import type { Figure } from "./figure.ts";

/** What a scenario is given: a running Paddock of its own, and how much work to do. */
export interface BenchContext {
  api: string;
  token: string;
  dataDir: string;
  /** Process id of the daemon, to watch its memory. */
  daemonPid: number;
  /** Smaller sizes, for a look at whether everything still runs; figures of such a run mean little. */
  quick: boolean;
  say(line: string): void;
}

export type Scenario = (context: BenchContext) => Promise<Figure[]>;

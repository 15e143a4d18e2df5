import type { Figure } from "./figure.ts";

/** What a scenario is given: a running Paddock of its own, and how much work to do. */
export interface BenchContext {
  api: string;
  token: string;
  /** File with the authority that signs preview URLs. */
  ca: string | null;
  dataDir: string;
  /** Process id of the daemon, to watch its memory. */
  daemonPid: number;
  /** Smaller sizes, for a look at whether everything still runs; figures of such a run mean little. */
  quick: boolean;
  /** How many of what the scenario counts, where the caller has said so; `Infinity`: as many as it can. */
  count?: number;
  say(line: string): void;
  /** Takes a chart of what was measured, as SVG. */
  chart(svg: string): void;
}

/** What is known before there is a server. */
export type BenchOptions = Pick<BenchContext, "quick" | "count">;

export type Scenario = (context: BenchContext) => Promise<Figure[]>;

/** One that needs no server: it runs machines of one kind by themselves. */
export type MachineScenario = (
  context: Pick<BenchContext, "quick" | "say">,
) => Promise<Figure[]>;

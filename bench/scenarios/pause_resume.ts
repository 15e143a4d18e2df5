import { Sandbox } from "@paddock/sandbox";
import { barChart } from "../chart.ts";
import { figure, percentile } from "../figure.ts";
import { untilOrigin } from "../of_origin.ts";
import { rawTemplate } from "../raw_template.ts";
import type { Scenario } from "../scenario.ts";

/** Without machines that wait: each is restored for its sandbox. */
export const serverEnv = { PADDOCK_LIMITS_POOL_MIN: "0", PADDOCK_LIMITS_POOL_MAX: "0" };

const TARGET_MS = 300;

/** What the client library has of it, if it does. */
type Pausable = Sandbox & { pause?(): Promise<unknown>; resume?(): Promise<unknown> };

/**
 * A sandbox is paused, written to the disk with its memory, and resumed: how long each call takes, until
 * the first eval for the second. The floors are runsc's own checkpoint and restore of the same machine.
 */
const pauseResume: Scenario = async ({ api, token, dataDir, quick, count, say, chart }) => {
  const { pause, resume } = Sandbox.prototype as Pausable;
  if (typeof pause !== "function" || typeof resume !== "function") {
    say("skipped: the client library has no sandbox.pause() and sandbox.resume()");
    return [];
  }
  const rounds = count ?? (quick ? 3 : 15);
  const sandbox: Pausable = await untilOrigin({ api, token }, "restored");
  await using _ = sandbox;
  await using raw = await rawTemplate(dataDir, sandbox.id);
  const repl = await sandbox.repl();
  await repl.eval("let count = 0");

  const ours: { pause: number; resume: number }[] = [];
  const floors: { pause: number; resume: number }[] = [];
  for (let i = 0; i <= rounds; i++) {
    const floor = { pause: await raw.checkpointMs(), resume: await raw.coldStartMs() };
    const start = performance.now();
    await pause.call(sandbox);
    const paused = performance.now();
    await rest();
    const before = performance.now();
    await resume.call(sandbox);
    const there = await sandbox.attachRepl(repl.pid);
    if (await there.eval("++count") !== i + 1) throw new Error("the sandbox has forgotten");
    const value = { pause: paused - start, resume: performance.now() - before };
    await rest();
    // The first of each warms the host's caches.
    if (i === 0) continue;
    floors.push(floor);
    ours.push(value);
    say(
      `${i}/${rounds}: pause ${value.pause.toFixed(0)} ms, raw ${floor.pause.toFixed(0)} ms; ` +
        `resume ${value.resume.toFixed(0)} ms, raw ${floor.resume.toFixed(0)} ms`,
    );
  }
  const p50 = (of: typeof ours, what: "pause" | "resume") =>
    percentile(of.map((it) => it[what]), 50);
  chart(
    barChart({ title: "A sandbox is paused and resumed", up: "ms, p50" }, [
      { name: "pause", value: p50(ours, "pause"), target: TARGET_MS },
      { name: "runsc checkpoint", value: p50(floors, "pause") },
      { name: "resume to first eval", value: p50(ours, "resume"), target: TARGET_MS },
      { name: "runsc restore", value: p50(floors, "resume") },
    ]),
  );
  const target = { on: "value", at: "most", than: TARGET_MS } as const;
  return (["pause", "resume"] as const).map((what) =>
    figure({
      scenario: "pause_resume",
      metric: what === "pause" ? "pause_p50" : "resume_to_first_eval_p50",
      unit: "ms",
    }, { value: p50(ours, what), floor: p50(floors, what), target })
  );
};
export default pauseResume;

/** Lets what follows a call finish before the next is timed. */
const rest = () => new Promise((resolve) => setTimeout(resolve, 500));

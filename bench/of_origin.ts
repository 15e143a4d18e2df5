import { Sandbox } from "@paddock/sandbox";
import type { BenchContext } from "./scenario.ts";

const DEADLINE_MS = 5 * 60_000;

/** Creates sandboxes until one came by its machine this way: then the server has what it needs for it. */
export async function untilOrigin(
  { api, token }: Pick<BenchContext, "api" | "token">,
  origin: "pooled" | "restored",
): Promise<Sandbox> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    // One that boots meanwhile may take longer than a client waits.
    const sandbox = await Sandbox.create({ endpoint: api, token }).catch(() => undefined);
    if ((await sandbox?.metadata())?.origin === origin) return sandbox!;
    await sandbox?.kill();
    if (performance.now() > deadline) throw new Error(`no sandbox was ${origin} in five minutes`);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

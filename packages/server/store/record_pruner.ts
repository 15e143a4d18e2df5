import type { Log } from "../log.ts";
import type { ExposureBounds } from "./exposures.ts";
import type { RecordBounds } from "./prune_records.ts";
import type { Store } from "./store.ts";

/** So few at once that a request waits for milliseconds behind it. */
const BATCH = 200;
const BETWEEN_BATCHES_MS = 50;
const BETWEEN_ROUNDS_MS = 10 * 60_000;

/** Forgets old records in the background: at once, and every few minutes from then on. */
export function startPruning(
  store: Store,
  bounds: RecordBounds & ExposureBounds,
  log: Log,
): Disposable {
  let timer = setTimeout(step, 0);
  const total = { sandboxes: 0, tokens: 0, exposures: 0 };

  function step(): void {
    let found = 0;
    try {
      const { sandboxes, tokens } = store.prune(bounds, BATCH);
      found = sandboxes + tokens;
      total.sandboxes += sandboxes;
      total.tokens += tokens;
      if (found === 0) total.exposures += store.exposures.prune(bounds);
    } catch (error) {
      log.warn("old records could not be forgotten; tried again later", { error: String(error) });
    }
    if (found === 0) {
      if (total.sandboxes + total.tokens + total.exposures > 0) {
        log.info("forgot old records", { ...total });
      }
      total.sandboxes = total.tokens = total.exposures = 0;
    }
    timer = setTimeout(step, found > 0 ? BETWEEN_BATCHES_MS : BETWEEN_ROUNDS_MS);
  }

  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

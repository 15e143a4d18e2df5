import type { Engine } from "@paddock/engine";
import type { Config } from "./config.ts";
import type { Log } from "./log.ts";
import type { Creator } from "./sandbox/creator.ts";
import type { Graces } from "./sandbox/graces.ts";
import type { Connections } from "./session/connections.ts";
import type { Store } from "./store/store.ts";

/** What the routes work with. */
export interface Services {
  readonly config: Config;
  readonly engine: Engine;
  readonly store: Store;
  readonly log: Log;
  readonly connections: Connections;
  readonly creator: Creator;
  readonly graces: Graces;
  /** Aborted, with the error for callers, once the server takes nothing new. */
  readonly closing: AbortSignal;
}

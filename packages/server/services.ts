import type { Engine } from "@paddock/engine";
import type { GatewayAddresses } from "@paddock/gateway";
import type { Config } from "./config.ts";
import type { OrganizationConnections } from "./http/organization_connections.ts";
import type { Log } from "./log.ts";
import type { Creator } from "./sandbox/creator.ts";
import type { Gate } from "./sandbox/gate.ts";
import type { Graces } from "./sandbox/graces.ts";
import type { AgentGreeter } from "./session/agent_greeter.ts";
import type { Connections } from "./session/connections.ts";
import type { SandboxPlaces } from "./session/sandbox_places.ts";
import type { Standstills } from "./session/standstills.ts";
import type { Store } from "./store/store.ts";

/** What the routes work with. */
export interface Services {
  readonly config: Config;
  readonly engine: Engine;
  readonly greeter: AgentGreeter | undefined;
  readonly store: Store;
  readonly log: Log;
  readonly connections: Connections;
  readonly sandboxPlaces: SandboxPlaces;
  readonly organizationConnections: OrganizationConnections;
  readonly creator: Creator;
  readonly graces: Graces;
  readonly standstills: Standstills;
  /** Volumes and snapshots are made a few at a time: each may be a copy of gigabytes. */
  readonly volumeGate: Gate;
  /** Where preview URLs and SSH are reached; undefined where they are switched off. */
  readonly gateway: GatewayAddresses | undefined;
  /** Makes ready what VS Code in sandboxes needs from the host. */
  readonly prepareVscode: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** Aborted, with the error for callers, once the server takes nothing new. */
  readonly closing: AbortSignal;
}

import type { AgentConfig } from "./config.ts";
import { guestIdentitySchema } from "@paddock/protocol";
import { freeMemory } from "./free_memory.ts";
import { Identity } from "./identity/identity.ts";
import { AgentServer } from "./net/agent_server.ts";
import { ExposedServices } from "./net/exposed_services.ts";
import { ListeningPorts } from "./net/listening.ts";
import { Environment } from "./process/environment.ts";
import { MemoryPolice } from "./process/memory_police.ts";
import { ProcessTable } from "./process/process_table.ts";
import { Terminals } from "./process/terminals.ts";
import { Quiet } from "./quiet.ts";
import { ReplPool } from "./repl/repl_pool.ts";
import { fileHandlers } from "./rpc/file_handlers.ts";
import { handleHandlers } from "./rpc/handle_handlers.ts";
import type { Handlers } from "./rpc/handlers.ts";
import { processHandlers } from "./rpc/process_handlers.ts";
import { RpcConnection } from "./rpc/rpc_connection.ts";
import { runRestoredHook } from "./restore/restored_hook.ts";
import { takeIdentity } from "./restore/take_identity.ts";
import { serviceHandlers } from "./rpc/service_handlers.ts";
import { terminalHandlers } from "./rpc/terminal_handlers.ts";
import { SudoServer } from "./sudo/sudo_server.ts";
import { VscodeServers } from "./vscode/vscode_servers.ts";

/** Told by `/health` and `paddock.info`. */
export const AGENT_VERSION = "0.1.0";

/** How long after its start the agent has everything in place. */
const SETTLED_MS = 1_500;

export interface Agent {
  readonly port: number;
  close(): void;
}

/** Puts the agent together and starts it. */
export function startAgent(config: AgentConfig): Agent {
  const log = (message: string) => console.error(`[agent] ${message}`);
  const { limits, account, runDir } = config;
  Deno.mkdirSync(runDir, { recursive: true, mode: 0o755 });
  for (const name of ["repl.sock", "sudo.sock"]) removeIfThere(`${runDir}/${name}`);
  const identity = Identity.assume(account);
  const environment = new Environment(config.environment);
  const police: { current?: MemoryPolice } = {};
  const processes = new ProcessTable(identity, limits.processes, () => police.current?.wake());
  const repls = new ReplPool({
    identity,
    environment,
    processes,
    socketPath: `${runDir}/repl.sock`,
    replScript: config.replScript,
    deno: config.deno,
    home: account.home,
    maxRepls: limits.repls,
    log,
  });
  // First of all: it takes longest, and goes on beside the rest.
  repls.warm();
  const sudo = new SudoServer({
    identity,
    processes,
    socketPath: `${runDir}/sudo.sock`,
    environment: config.imageEnvironment,
    sandboxUser: account,
    log,
  });
  let settled = false;
  setTimeout(() => {
    freeMemory();
    settled = true;
  }, SETTLED_MS);
  const quiet = new Quiet(freeMemory);
  const ports = new ListeningPorts(identity);
  const exposed = new ExposedServices();
  const memoryPolice = police.current = new MemoryPolice({
    identity,
    memoryBytes: config.memoryBytes,
    maxTasks: config.maxTasks,
    source: config.memorySource,
    processes,
    active: () => processes.running > 0,
    relieve: () => repls.dropSpare(),
    log,
  });
  const services = {
    config,
    version: AGENT_VERSION,
    environment,
    processes,
    repls,
    terminals: new Terminals(identity, processes, limits.terminals),
    ports,
    exposed,
    vscode: new VscodeServers({ config, environment, processes }),
  };
  const handlers: Handlers = {
    ...fileHandlers(account.home, limits),
    ...handleHandlers(account.home, limits),
    ...processHandlers(services),
    ...terminalHandlers(services),
    ...serviceHandlers(services),
  };
  let restored: Promise<string | undefined> = Promise.resolve(undefined);
  const server = new AgentServer({
    hostname: config.hostname,
    port: config.port,
    token: config.token,
    maxMessageBytes: limits.messageBytes,
    exposedPort: (domain) => {
      const target = exposed.targetOf(domain);
      if (target === undefined) return "unknown";
      if ("port" in target) return target.port;
      const process = processes.find(target.pid);
      return (process && !process.exit && ports.portOf(target.pid)) || "silent";
    },
    health: () => {
      // Asked while the sandbox is made: one that did not come up is tried again.
      repls.warm();
      return { ok: true, version: AGENT_VERSION, repl: repls.ready, settled };
    },
    identify: (given) => {
      const before = config.sandboxId;
      takeIdentity({
        ...{ config, identity, environment, repls, log },
        police: memoryPolice,
        setToken: (token) => server.token = token,
      }, guestIdentitySchema.parse(given));
      // Who is told twice, or was paused and goes on, is nobody else.
      if (config.sandboxId !== before) {
        const withinMs = limits.restoredCommandMs;
        restored = runRestoredHook({ environment, processes, home: account.home, withinMs });
      }
      return restored;
    },
    serve: (socket, codec, mode) =>
      new RpcConnection({
        socket,
        codec,
        mode,
        handlers,
        limits,
        log,
        worked: () => quiet.worked(),
      })
        .run(),
    log,
  });
  return {
    port: server.port,
    close() {
      server.close();
      police.current?.stop();
      quiet.stop();
      sudo.close();
      repls.close();
      for (const process of processes) process.kill("SIGKILL");
    },
  };
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

import type { AgentConfig } from "../config.ts";
import type { ExposedServices } from "../net/exposed_services.ts";
import { fetchInGuest } from "../net/fetch_service.ts";
import type { ListeningAddress, ListeningPorts } from "../net/listening.ts";
import type { Environment } from "../process/environment.ts";
import type { ProcessTable } from "../process/process_table.ts";
import type { VscodeServers } from "../vscode/vscode_servers.ts";
import type { Handlers } from "./handlers.ts";

type ServiceMethod =
  | "abort"
  | "fetch"
  | "exposeHttp"
  | "vscode"
  | "envGet"
  | "envSet"
  | "envToObject"
  | "envDelete"
  | "paddock.info";

export interface Services {
  config: AgentConfig;
  version: string;
  environment: Environment;
  processes: ProcessTable;
  ports: ListeningPorts;
  exposed: ExposedServices;
  vscode: VscodeServers;
}

/** Network, environment, and the rest. */
export function serviceHandlers(services: Services): Pick<Handlers, ServiceMethod> {
  const { config, version, environment, processes, ports, exposed, vscode } = services;

  function addressOf(pid: number): ListeningAddress {
    const process = processes.get(pid);
    const address = process.exit ? undefined : ports.addressOf(pid);
    if (address === undefined) {
      throw new Deno.errors.ConnectionRefused(`Process ${pid} does not listen on a TCP port`);
    }
    return address;
  }

  return {
    abort: ({ abortId }, call) => call.abort(abortId),
    fetch: async (request, call) => {
      const signal = call.signal(request.abortId);
      const { bodyStreamId, pid } = request;
      try {
        const server = pid === undefined ? undefined : addressOf(pid);
        const input = bodyStreamId === undefined ? undefined : call.receive(bodyStreamId);
        const { body, ...rest } = await fetchInGuest(request, input, server, signal);
        return { ...rest, bodyStreamId: body && call.send(body) };
      } catch (error) {
        call.refuse(bodyStreamId, error);
        throw error;
      }
    },
    exposeHttp: ({ domain, ...target }) => {
      if ("pid" in target) processes.get(target.pid);
      exposed.expose(domain, target);
    },
    vscode: async (input, call) => {
      const { pid, port, stdout, stderr } = await vscode.start(input, call.signal());
      return { pid, port, stdoutStreamId: call.send(stdout), stderrStreamId: call.send(stderr) };
    },
    envGet: ({ key }) => environment.get(key),
    envSet: ({ key, value }) => environment.set(key, value),
    envToObject: () => environment.toObject(),
    envDelete: ({ key }) => environment.delete(key),
    "paddock.info": () => ({
      version,
      sandboxId: config.sandboxId,
      region: config.region,
      memoryBytes: config.memoryBytes,
    }),
  };
}

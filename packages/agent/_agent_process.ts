import { bundleAgent } from "./mod.ts";

const START_TIMEOUT_MS = 20_000;

export interface AgentProcess extends AsyncDisposable {
  port: number;
  token: string;
  home: string;
  directory: string;
  pid: number;
  /** What it has said on standard error. */
  log(): string;
  alive(): boolean;
  health(): Promise<{ ok: boolean; repl: boolean }>;
  residentBytes(): number;
}

/** For tests: the bundled agent as a process of this host, in a directory of its own. */
export async function startAgentProcess(env: Record<string, string> = {}): Promise<AgentProcess> {
  const directory = await Deno.makeTempDir({ prefix: "paddock_agent_" });
  await Deno.chmod(directory, 0o755);
  const home = `${directory}/home`;
  await Deno.mkdir(home);
  if (Deno.uid() === 0) await Deno.chown(home, 1000, 1000);
  const { agent, repl } = await bundleAgent();
  await Deno.writeFile(`${directory}/agent.js`, agent);
  await Deno.writeFile(`${directory}/repl.js`, repl);
  // The guest's user must be able to read what it runs, which a checkout may not let it.
  const deno = `${directory}/deno`;
  await Deno.copyFile(Deno.execPath(), deno);
  await Deno.chmod(deno, 0o755);
  const token = crypto.randomUUID();
  const child = new Deno.Command(deno, {
    args: ["run", "-A", "--no-lock", "--no-config", `${directory}/agent.js`],
    cwd: home,
    clearEnv: true,
    env: {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      LANG: "C.UTF-8",
      PADDOCK_AGENT_TOKEN: token,
      PADDOCK_AGENT_PORT: "0",
      PADDOCK_AGENT_HOSTNAME: "127.0.0.1",
      PADDOCK_AGENT_HOME: home,
      PADDOCK_AGENT_RUN_DIR: `${directory}/run`,
      PADDOCK_AGENT_MEMORY_SOURCE: "processes",
      PADDOCK_SANDBOX_ID: "sbx_ams_00000000000000000000",
      PADDOCK_REGION: "ams",
      PADDOCK_MEMORY_BYTES: String(512 * 1024 * 1024),
      ...env,
    },
    stdin: "null",
    stdout: "inherit",
    stderr: "piped",
  }).spawn();
  let said = "";
  let ended = false;
  child.status.then(() => ended = true);
  const ready = Promise.withResolvers<number>();
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      said += text;
      const [, port] = said.match(/listening on port (\d+)/) ?? [];
      if (port) ready.resolve(Number(port));
    }
    ready.reject(new Error(`The agent ended: ${said}`));
  })();
  const timer = setTimeout(
    () => ready.reject(new Error(`The agent did not start: ${said}`)),
    START_TIMEOUT_MS,
  );
  const stop = async () => {
    if (!ended) child.kill("SIGTERM");
    await child.status;
    await reading.catch(() => {});
    await Deno.remove(directory, { recursive: true });
  };
  let port: number;
  try {
    port = await ready.promise;
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return {
    port,
    token,
    home,
    directory,
    pid: child.pid,
    log: () => said,
    alive: () => !ended,
    async health() {
      const response = await fetch(`http://127.0.0.1:${port}/health`, {
        headers: { authorization: `Bearer ${token}` },
      });
      return await response.json();
    },
    residentBytes: () =>
      Number(Deno.readTextFileSync(`/proc/${child.pid}/statm`).split(" ")[1]) * 4096,
    [Symbol.asyncDispose]: stop,
  };
}

import type { Sandbox } from "@paddock/sandbox";
import type { Target } from "./load/target.ts";
import type { BenchContext } from "./scenario.ts";

/** The same server in a sandbox, straight at the guest's address and through its preview URL. */
export interface Paths {
  direct: Target;
  preview: Target;
}

export async function exposePaths(
  sandbox: Sandbox,
  port: number,
  { ca }: BenchContext,
): Promise<Paths> {
  if (!ca) throw new Error("the server under test has no local authority");
  const address = (await sandbox.sh`hostname -I`.text()).trim().split(" ")[0];
  const url = new URL(await sandbox.exposeHttp({ port }));
  return {
    direct: { host: address, port, authority: `${address}:${port}` },
    preview: {
      host: "127.0.0.1",
      port: Number(url.port || 443),
      tls: { servername: url.hostname, ca },
      authority: url.host,
    },
  };
}

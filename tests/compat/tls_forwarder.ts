import { connect } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { readFile } from "node:fs/promises";
import { once } from "node:events";
import assert from "node:assert/strict";
import { run } from "../harness.ts";

export interface TlsForwarder extends AsyncDisposable {
  port: number;
  /** PEM of the authority that clients have to trust. */
  authorityFile: string;
}

/** TLS in front of a plain server, under an authority made for this one test. */
export async function startTlsForwarder(
  folder: string,
  target: URL,
  names: string[],
): Promise<TlsForwarder> {
  const openssl = async (...args: string[]) => {
    const { code, stderr } = await run("openssl", args, { cwd: folder });
    assert.equal(code, 0, `openssl ${args.join(" ")}: ${stderr}`);
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await openssl(
    ...["req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2"],
    ...["-subj", "/CN=Paddock test authority"],
    ...["-addext", "basicConstraints=critical,CA:TRUE"],
  );
  const alternatives = names.map((name) => /^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`);
  await openssl(
    ...["req", "-x509", ...key, "-keyout", "leaf.key", "-out", "leaf.pem", "-days", "2"],
    ...["-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/CN=sandbox-api"],
    ...["-addext", `subjectAltName=${alternatives.join(",")}`],
    ...["-addext", "basicConstraints=critical,CA:FALSE"],
  );
  const server = createServer({
    key: await readFile(`${folder}/leaf.key`),
    cert: await readFile(`${folder}/leaf.pem`),
  }, (inbound: TLSSocket) => {
    const outbound = connect(Number(target.port), target.hostname);
    inbound.pipe(outbound).pipe(inbound);
    inbound.on("error", () => outbound.destroy());
    outbound.on("error", () => inbound.destroy());
  });
  // Both families: `*.localhost` resolves to either.
  server.listen(0, "::");
  await once(server, "listening");
  return {
    port: (server.address() as { port: number }).port,
    authorityFile: `${folder}/ca.pem`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, "close");
    },
  };
}

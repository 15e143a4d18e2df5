import assert from "node:assert/strict";
import { run } from "../harness.ts";
import { visit } from "../visitor.ts";
import type { VisitContext } from "./readme_expectations.ts";

/** Logs in with the credentials an example printed, with the real client. */
export async function runOverSsh(
  [, username, hostname]: RegExpExecArray,
  { folder }: VisitContext,
): Promise<void> {
  const result = await run("ssh", [
    ...["-F", "none", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20"],
    ...["-o", "StrictHostKeyChecking=accept-new", "-o", `UserKnownHostsFile=${folder}/known`],
    // A host name with a port in it is understood in this form alone.
    `ssh://${username}@${hostname}`,
    "id -un; pwd; echo problem >&2; exit 7",
  ]);
  assert.equal(result.stdout, "sandbox\n/home/sandbox\n", result.stderr);
  assert.match(result.stderr, /problem/);
  assert.equal(result.code, 7);
}

export async function openVsCode([url]: RegExpExecArray, { ca }: VisitContext): Promise<void> {
  const page = await visit(url, ca);
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-type") ?? "", /text\/html/);
  assert.match(await page.text(), /workbench/);
}

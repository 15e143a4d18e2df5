// Shows: a sandbox is reached by SSH, with the command that anybody's terminal takes.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Sandbox } from "@paddock/sandbox";

await using sandbox = await Sandbox.create();
await sandbox.writeTextFile("hello.txt", "written through the API\n");

// The user name is the credential: no key, no password. Each call gives a new one.
const { hostname, username, hostKey } = await sandbox.exposeSsh();
const address = `ssh://${username}@${hostname}`;
console.log(`ssh ${address}`);

// What a person would type, typed here. The server's key came with the answer, so it can be checked.
const folder = await mkdtemp(join(tmpdir(), "example-ssh-"));
try {
  const known = join(folder, "known_hosts");
  await writeFile(known, `${hostname.replace(/^(.*):(\d+)$/, "[$1]:$2")} ${hostKey}\n`);
  const { stdout } = await promisify(execFile)("ssh", [
    ...["-F", "none", "-o", `UserKnownHostsFile=${known}`, "-o", "StrictHostKeyChecking=yes"],
    address,
    "id -un; cat hello.txt",
  ]);
  console.log(stdout.trim());
} finally {
  await rm(folder, { recursive: true });
}

// Creates a session sandbox, says its id and holds it until it is killed.
import { Sandbox } from "@paddock/sandbox";

const sandbox = await Sandbox.create();
await sandbox.sh`echo held > held`;
console.log(sandbox.id);
await new Promise((resolve) => setTimeout(resolve, 600_000));

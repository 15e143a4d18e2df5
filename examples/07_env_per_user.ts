// Shows: every user gets an environment of their own, with files nobody else sees.
import { Sandbox } from "@paddock/sandbox";

const users = [
  { name: "ada", plan: "pro", note: "analytical engine" },
  { name: "grace", plan: "free", note: "a moth in relay 70" },
];

await using stack = new AsyncDisposableStack();
const environments = new Map<string, Sandbox>();
for (const user of users) {
  const sandbox = stack.use(
    await Sandbox.create({
      env: { APP_USER: user.name, APP_PLAN: user.plan },
      labels: { user: user.name },
    }),
  );
  await sandbox.fs.writeTextFile("note.txt", user.note);
  environments.set(user.name, sandbox);
}

for (const [name, sandbox] of environments) {
  const line = await sandbox.sh`echo "$APP_USER ($APP_PLAN) wrote: $(cat note.txt)"`.text();
  console.log(`${name}'s machine says: ${line.trim()}`);
}

// What is set later is seen by what starts later, in this environment only.
await environments.get("ada")!.env.set("APP_PLAN", "enterprise");
for (const [name, sandbox] of environments) {
  console.log(`${name} is now on plan`, await sandbox.env.get("APP_PLAN"));
}

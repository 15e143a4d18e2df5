// Shows: one project, three forks that each try a change, and the one whose tests pass goes on.
import { Sandbox } from "@paddock/sandbox";

await using sandbox = await Sandbox.create();
// A repository to clone, since this example leaves the machine alone.
await sandbox.fs.mkdir("origin");
await sandbox.writeTextFile("origin/slug.ts", `export const slug = (title: string) => title;\n`);
await sandbox.writeTextFile(
  "origin/slug_test.ts",
  `import { slug } from "./slug.ts";
Deno.test("words are joined", () => {
  const got = slug(" Hello,  World! ");
  if (got !== "hello-world") throw new Error("got " + JSON.stringify(got));
});
`,
);
await sandbox.sh`cd origin && git init -q && git add . &&
  git -c user.name=example -c user.email=example@localhost commit -qm "First"`;
await sandbox.sh`git clone -q origin project`;
console.log("cloned:", (await sandbox.sh`git -C project log --oneline`.text()).trim());

const ideas: Record<string, string> = {
  "lower case": `title.toLowerCase()`,
  "dashes for spaces": `title.trim().replace(/\\s+/g, "-")`,
  "words alone": `(title.toLowerCase().match(/\\w+/g) ?? []).join("-")`,
};
const forks = await sandbox.fork(Object.keys(ideas).length);
const tried = await Promise.all(
  Object.entries(ideas).map(async ([idea, code], index) => {
    const fork = forks[index];
    await fork.writeTextFile(
      "project/slug.ts",
      `export const slug = (title: string) => ${code};\n`,
    );
    const { status } = await fork.sh`cd project && deno test -q`.noThrow().stdout("piped")
      .stderr("piped");
    console.log(`${idea}: ${status.success ? "tests pass" : "tests fail"}`);
    return { idea, fork, passes: status.success };
  }),
);
const best = tried.find(({ passes }) => passes);
await Promise.all(tried.filter((it) => it !== best).map(({ fork }) => fork.close()));
if (!best) throw new Error("no idea was good enough");

await using winner = best.fork;
console.log("kept:", best.idea);
console.log((await winner.sh`git -C project diff --unified=0 | tail -1`.text()).trim());
console.log("the original has:", (await sandbox.readTextFile("project/slug.ts")).trim());

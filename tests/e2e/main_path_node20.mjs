// Node 20 has no `await using` and no Promise.withResolvers: the library does without them too.
import { Sandbox } from "@paddock/sandbox";

const results = {};
const sandbox = await Sandbox.create();
try {
  results.fib = await sandbox.eval(
    `const f=[0,1]; while (f.length<10) f.push(f.at(-1)+f.at(-2)); f`,
  );
  results.sh = await sandbox.sh`echo ${"it's"} node`.text();
  const child = await sandbox.spawn("cat", { stdin: "piped", stdout: "piped" });
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("piped"));
  await writer.close();
  results.spawn = (await child.output()).stdoutText;
  await sandbox.fs.writeFile("b", new Uint8Array(300_000).fill(9));
  results.bytes = (await sandbox.fs.readFile("b")).filter((byte) => byte === 9).length;
  results.typeError = await sandbox.eval("null.x").then(
    () => "",
    (error) => error instanceof TypeError,
  );
} finally {
  await sandbox.close();
}
console.log(JSON.stringify(results));

// Shows: shell commands and files, as on any small Linux machine.
import { Sandbox } from "@paddock/sandbox";

await using sandbox = await Sandbox.create();

console.log("working directory:", (await sandbox.sh`pwd`.text()).trim());

await sandbox.fs.writeTextFile("fruits.txt", "pear\napple\nplum\napple\n");
const counted = await sandbox.sh`sort fruits.txt | uniq -c | sort -rn | head -1`.text();
console.log("most frequent line:", counted.trim());

// What is put into a template is one argument, however odd it looks.
const name = "a name; with $odd `characters`.txt";
await sandbox.sh`cp fruits.txt ${name}`;
console.log("last file:", (await sandbox.sh`ls -1 | head -1`.text()).trim());

const failed = await sandbox.sh`grep banana fruits.txt`.noThrow();
console.log("grep for a banana ends with code", failed.status.code);

const total = await sandbox.sh`wc -c < fruits.txt`.text();
const local = await sandbox.fs.readFile("fruits.txt");
console.log(`${total.trim()} bytes there, ${local.length} bytes here`);

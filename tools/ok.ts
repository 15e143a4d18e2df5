import { sourceChecks } from "./checks.ts";
import { interruptSignal } from "./interrupt.ts";
import { succeeded, summary } from "./report.ts";
import { runChecks } from "./run_checks.ts";

// `deno task ok`: what to run before every commit. It needs no machine and takes well under a minute.
const results = await runChecks(await sourceChecks(), interruptSignal());
console.log(summary(results));
Deno.exit(succeeded(results) ? 0 : 1);

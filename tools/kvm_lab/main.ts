/**
 * `deno task lab [--timeout SECONDS] [--memory MIB] [-- COMMAND…]`: a machine with a real /dev/kvm on
 * a host without one. The command runs in this checkout; left out, it is the Firecracker driver's
 * conformance suite.
 */
import { parseArgs } from "node:util";
import { interruptSignal } from "../interrupt.ts";
import { labBinaries } from "./lab_inputs.ts";
import { runLab } from "./run_lab.ts";

const denoInLab = "/paddock/node_modules/@deno/linux-x64-glibc/deno";
const suite = "packages/driver_firecracker/firecracker_driver_machine_test.ts";
const skipped = 0;

const { values, positionals } = parseArgs({
  options: {
    timeout: { type: "string", default: "3600" },
    memory: { type: "string" },
  },
  allowPositionals: true,
});
const binaries = labBinaries();
if ("reason" in binaries) {
  console.log(`The KVM lab is skipped: ${binaries.reason}.`);
  Deno.exit(skipped);
}
const signal = interruptSignal();
try {
  const started = performance.now();
  const code = await runLab({
    binaries,
    command: positionals.length > 0
      ? positionals.map((word) => word === "deno" ? denoInLab : word)
      : [denoInLab, "test", "--allow-all", "--no-check", suite],
    memoryMb: values.memory === undefined ? undefined : Number(values.memory),
    timeoutMs: Number(values.timeout) * 1000,
    signal,
    say: (line) => console.error(`lab: ${line}`),
  });
  console.error(
    `lab: ended with ${code} after ${((performance.now() - started) / 1000).toFixed(0)} s`,
  );
  Deno.exit(code);
} catch (error) {
  console.error(`lab: ${(error as Error).message}`);
  Deno.exit(1);
}

import { compileC } from "@paddock/driver";

const SOURCE = new URL("./machine_init.c", import.meta.url);

let compiled: Promise<Uint8Array<ArrayBuffer>> | undefined;

/** The program that waits for a machine's sentry in place of runsc, compiled once by this process. */
export function machineInit(): Promise<Uint8Array<ArrayBuffer>> {
  return compiled ??= Deno.readFile(SOURCE).then((source) => compileC(source, ["-static"]));
}

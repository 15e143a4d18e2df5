import { constants } from "node:os";

/** A signal's name, checked; a TypeError names one that does not exist. */
export function signalNamed(name: string): Deno.Signal {
  if (!Object.hasOwn(constants.signals, name)) {
    throw new TypeError(`Invalid signal: ${name.slice(0, 40)}`);
  }
  return name as Deno.Signal;
}

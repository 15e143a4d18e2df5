import { DENO_ERROR_NAMES, errorClass } from "@paddock/protocol";

type ErrorClass = new (message: string) => Error;

/**
 * The classes of errors that file operations and code in the sandbox throw, for `instanceof`. On Deno
 * they are `Deno.errors`.
 *
 * ```ts
 * import { errors } from "@paddock/sandbox";
 * try {
 *   await sandbox.readTextFile("missing.txt");
 * } catch (error) {
 *   if (!(error instanceof errors.NotFound)) throw error;
 * }
 * ```
 */
export const errors: Readonly<Record<DenoErrorName, ErrorClass>> = Object.freeze(
  Object.fromEntries(DENO_ERROR_NAMES.map((name) => [name, errorClass(name) ?? Error])),
) as Record<DenoErrorName, ErrorClass>;

export type DenoErrorName =
  | "AddrInUse"
  | "AddrNotAvailable"
  | "AlreadyExists"
  | "BadResource"
  | "BrokenPipe"
  | "Busy"
  | "ConnectionAborted"
  | "ConnectionRefused"
  | "ConnectionReset"
  | "FilesystemLoop"
  | "Http"
  | "Interrupted"
  | "InvalidData"
  | "IsADirectory"
  | "NetworkUnreachable"
  | "NotADirectory"
  | "NotCapable"
  | "NotConnected"
  | "NotFound"
  | "NotSupported"
  | "PermissionDenied"
  | "TimedOut"
  | "UnexpectedEof"
  | "WouldBlock"
  | "WriteZero";

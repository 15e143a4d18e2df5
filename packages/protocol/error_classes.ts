type ErrorClass = new (message: string) => Error;

const BUILT_IN: Record<string, ErrorClass> = {
  Error,
  TypeError,
  ReferenceError,
  SyntaxError,
  RangeError,
  URIError,
  EvalError,
};

/** Deno's own error classes. Off Deno they become subclasses of Error with the same name. */
export const DENO_ERROR_NAMES: readonly string[] = [
  "NotFound",
  "PermissionDenied",
  "ConnectionRefused",
  "ConnectionReset",
  "ConnectionAborted",
  "NotConnected",
  "AddrInUse",
  "AddrNotAvailable",
  "BrokenPipe",
  "AlreadyExists",
  "InvalidData",
  "TimedOut",
  "Interrupted",
  "WriteZero",
  "WouldBlock",
  "UnexpectedEof",
  "BadResource",
  "Http",
  "Busy",
  "NotSupported",
  "FilesystemLoop",
  "IsADirectory",
  "NetworkUnreachable",
  "NotADirectory",
  "NotCapable",
];

const standIns = new Map<string, ErrorClass>();

function denoErrorClass(name: string): ErrorClass {
  const deno = (globalThis as { Deno?: { errors?: Record<string, ErrorClass> } }).Deno;
  const native = deno?.errors?.[name];
  if (native) return native;
  let standIn = standIns.get(name);
  if (!standIn) {
    standIn = {
      [name]: class extends Error {
        constructor(message: string) {
          super(message);
          Object.defineProperty(this, "name", { value: name, configurable: true, writable: true });
        }
      },
    }[name];
    standIns.set(name, standIn);
  }
  return standIn;
}

/**
 * The class for an error that came over the wire, or undefined when this side has none of that
 * name. The same class is returned each time, so `instanceof` works.
 */
export function errorClass(name: string): ErrorClass | undefined {
  if (Object.hasOwn(BUILT_IN, name)) return BUILT_IN[name];
  if (DENO_ERROR_NAMES.includes(name)) return denoErrorClass(name);
  return undefined;
}

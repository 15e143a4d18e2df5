import type { WireError } from "@paddock/protocol";

/** What the agent tells a REPL process. */
export type ToRepl =
  | { type: "adopt"; env: Record<string, string>; cwd: string; args: string[] }
  /** The machine is a copy of another: what is random must differ from now on. */
  | { type: "reseed" }
  | { type: "evaluate"; id: number; code: string }
  | { type: "call"; id: number; fn: string; args: string };

/** What a REPL process tells the agent. Values are in devalue's text form. */
export type FromRepl =
  | { type: "hello"; token: string }
  | { type: "value"; id: number; value: string }
  | { type: "thrown"; id: number; error: WireError };

/** Where a REPL process learns its control socket and its name from. */
export const REPL_SOCKET_ENV = "PADDOCK_REPL_SOCKET";
export const REPL_TOKEN_ENV = "PADDOCK_REPL_TOKEN";

/**
 * Key of the global that holds `import()` of the process's main module. That module is in the
 * working directory, so imports through it follow the configuration found there.
 */
export const IMPORT_KEY = "paddock.import";

import type { Link } from "./link.ts";

/** The sandbox's environment variables. Changes hold for what is started afterwards. */
export interface SandboxEnv {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
  toObject(): Promise<Record<string, string>>;
  delete(key: string): Promise<void>;
}

export function createEnv(link: Link): SandboxEnv {
  return {
    get: (key) => link.call("envGet", { key }),
    set: (key, value) => link.call("envSet", { key, value }),
    toObject: () => link.call("envToObject", {}),
    delete: (key) => link.call("envDelete", { key }),
  };
}

import type { Memory } from "./memory.ts";

/** What a template is built from: the content of `template.json`. Its steps are done in this order. */
export interface TemplateDefinition {
  /** Unique in the organisation: 2 to 32 of a-z, 0-9 and hyphens. */
  name: string;
  /** The name of a template to go on from. Default: `"builtin:debian-13"`, the guest image. */
  from?: string;
  /** Default: that of `from`, or the server's. */
  memory?: Memory;
  driver?: "firecracker" | "gvisor" | "qemu";
  /** Variables of everything that runs in it. */
  env?: Record<string, string>;
  /** Debian packages, as apt takes them. */
  packages?: string[];
  files?: {
    /** Relative to the definition's folder. */
    from: string;
    /** Relative to /home/sandbox; with a slash at the end: into this directory. */
    to: string;
    /** It belongs to root, and may be anywhere. */
    root?: boolean;
  }[];
  /** Each is run by `sh -e` as user `sandbox` in its home. */
  commands?: (string | { run: string; root?: boolean; cwd?: string })[];
  /** Runs in every sandbox. What it prints is in ~/.start.log. */
  start?: {
    command: string;
    root?: boolean;
    cwd?: string;
    /** A port of the sandbox that takes connections, or a command that succeeds. */
    ready: { port: number } | { command: string };
    /** How long it may take until then. Default: 60. */
    timeoutSeconds?: number;
  };
  /**
   * Run by `sh -e` as user `sandbox` in every sandbox that is made from it, before anybody reaches that: to
   * have programs that were running renew what must differ from sandbox to sandbox.
   */
  restored?: string;
  /** How long all of it may take. Default: 1800. */
  timeoutSeconds?: number;
}

/** One thing doctor looked at. `fix` is a command, or a sentence when no command does it. */
export interface Check {
  name: string;
  status: "ok" | "warning" | "missing";
  detail: string;
  fix?: string;
}

export function ok(name: string, detail: string): Check {
  return { name, status: "ok", detail };
}

export function warning(name: string, detail: string, fix?: string): Check {
  return { name, status: "warning", detail, fix };
}

export function missing(name: string, detail: string, fix?: string): Check {
  return { name, status: "missing", detail, fix };
}

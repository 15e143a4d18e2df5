/**
 * Everything this library throws on its own account is a `SandboxSdkError` with a `code`. Errors that
 * happened inside the sandbox (a missing file, an exception in evaluated code) are thrown as what they
 * were there, for example an error named `NotFound` with `code: "ENOENT"`.
 */
export class SandboxSdkError extends Error {
  override name = "SandboxSdkError";
  /** Stable, machine-readable name of what went wrong. */
  code: string | number | undefined;
  /** What to do about it, when there is something to say. */
  declare hint?: string;

  constructor(message: string, options: ErrorOptions & { code?: string; hint?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    if (options.hint !== undefined) this.hint = options.hint;
  }
}

/** The server's own words on why it refused a request. */
export interface ServerRefusal {
  /** HTTP status. */
  status: number;
  code: string;
  message: string;
  /** The configuration field the refusal is about. */
  field?: string;
  hint?: string;
  /** Finds the request in the server's log. */
  traceId?: string;
}

/** The server refused, or could not complete, a connection to a sandbox. */
export class ConnectionEstablishmentError extends SandboxSdkError {
  override name = "ConnectionEstablishmentError";
  declare code: string;
  /** HTTP status of the refusal. */
  status: number;
  /** The configuration field the refusal is about, for example `labels`. */
  declare field?: string;
  traceId: string | undefined;

  constructor(refusal: ServerRefusal) {
    super(describeRefusal(refusal), refusal);
    this.status = refusal.status;
    if (refusal.field !== undefined) this.field = refusal.field;
    this.traceId = refusal.traceId;
  }
}

/** The server refused a request about a sandbox (list, extend, expose …). */
export class ApiError extends SandboxSdkError {
  override name = "ApiError";
  declare code: string;
  /** HTTP status of the refusal. */
  status: number;
  declare field?: string;
  declare traceId?: string;

  constructor(refusal: ServerRefusal) {
    super(describeRefusal(refusal), refusal);
    this.status = refusal.status;
    if (refusal.field !== undefined) this.field = refusal.field;
    if (refusal.traceId !== undefined) this.traceId = refusal.traceId;
  }
}

/** The token is unknown, revoked, or not for this server. */
export class InvalidTokenError extends SandboxSdkError {
  override name = "InvalidTokenError";

  constructor(message: string, hint?: string) {
    super(message, { code: "INVALID_TOKEN", hint });
  }
}

/** An endpoint is configured, but no token for it. */
export class MissingTokenError extends SandboxSdkError {
  override name = "MissingTokenError";

  constructor() {
    super(
      "an endpoint is configured but no token: pass `token`, or set PADDOCK_TOKEN (or DENO_DEPLOY_TOKEN)",
      { code: "MISSING_TOKEN", hint: "`paddock token create` on the server prints one" },
    );
  }
}

/** Ending a sandbox failed. */
export class SandboxKillError extends SandboxSdkError {
  override name = "SandboxKillError";
  /** HTTP status of the refusal. */
  status: number;
  /** The server's answer as text. */
  response: string;

  constructor(status: number, response: string) {
    super(`the server did not end the sandbox (status ${status}): ${response}`, {
      code: "KILL_FAILED",
    });
    this.status = status;
    this.response = response;
  }
}

/** The sandbox's agent refused a message: an unknown method, wrong parameters. */
export class RpcError extends SandboxSdkError {
  override name = "RpcError";
  declare code: number;
  declare data?: unknown;

  /** `code` is the JSON-RPC error code. */
  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    if (data !== undefined) this.data = data;
  }
}

/** The connection was closed by this program, or the sandbox is no more. */
export class ConnectionClosedError extends SandboxSdkError {
  override name = "ConnectionClosedError";
  /** WebSocket close code (RFC 6455), where the peer gave one. */
  closeCode: number | undefined;
  reason: string | undefined;

  constructor(closeCode?: number, reason?: string, message?: string) {
    super(message ?? `the connection to the sandbox is closed${describeClose(closeCode, reason)}`);
    this.code = closeCode ?? "CONNECTION_CLOSED";
    this.closeCode = closeCode;
    this.reason = reason;
  }
}

/**
 * The connection broke while this call was under way. Whether the call took effect in the sandbox is
 * not known, so it is not repeated. A sandbox with a duration reconnects by itself: later calls work.
 */
export class ConnectionLostError extends ConnectionClosedError {
  override name = "ConnectionLostError";
  declare code: string;

  constructor(what: string, options: { closeCode?: number; reason?: string } = {}) {
    super(
      options.closeCode,
      options.reason,
      `${what}${describeClose(options.closeCode, options.reason)}`,
    );
    this.code = "CONNECTION_LOST";
    this.hint = "the call may or may not have taken effect; it was not repeated";
  }
}

/** No connection could be made, or no answer came in time. */
export class NetworkError extends SandboxSdkError {
  override name = "NetworkError";

  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, { code: "NETWORK_ERROR", ...options });
  }
}

/** A timeout that does not parse, is not positive, or is not a duration where one is needed. */
export class InvalidTimeoutError extends SandboxSdkError {
  override name = "InvalidTimeoutError";

  constructor(message: string) {
    super(message, { code: "INVALID_TIMEOUT" });
  }
}

/** A memory size that does not parse. */
export class InvalidMemoryError extends SandboxSdkError {
  override name = "InvalidMemoryError";

  constructor(message: string) {
    super(message, { code: "INVALID_MEMORY" });
  }
}

/** The local daemon is not running and could not be started. */
export class LocalDaemonError extends SandboxSdkError {
  override name = "LocalDaemonError";

  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { code: "LOCAL_DAEMON_FAILED", ...options });
  }
}

/** A downloaded name would have landed outside the target directory. Nothing was written for it. */
export class UnsafePathError extends SandboxSdkError {
  override name = "UnsafePathError";
  /** The path as the sandbox gave it. */
  path: string;

  constructor(path: string, message: string, hint?: string) {
    super(message, { code: "UNSAFE_PATH", hint });
    this.path = path;
  }
}

function describeRefusal(refusal: ServerRefusal): string {
  const details = [`status ${refusal.status}`, `code ${refusal.code}`];
  if (refusal.field) details.push(`field ${refusal.field}`);
  if (refusal.traceId) details.push(`trace ${refusal.traceId}`);
  return `${refusal.message} (${details.join(", ")})`;
}

function describeClose(closeCode?: number, reason?: string): string {
  if (closeCode === undefined && !reason) return "";
  return ` (${
    [closeCode === undefined ? "" : `code ${closeCode}`, reason].filter(Boolean).join(": ")
  })`;
}

/** Whose doing an error is, and so whom its message is written for. */
export type Blame = "caller" | "operator" | "guest" | "us";

export interface ErrorEntry {
  blame: Blame;
  /** `error.code` of a JSON-RPC error response. */
  rpcCode: number;
  /** HTTP status of the same error on a plain request. */
  status: number;
  /** What a caller reads when nothing more precise is known. Safe to show to anybody. */
  message: string;
  /** What to do about it. */
  hint?: string;
}

const SERVER_ERROR = -32000;

function entry(
  blame: Blame,
  status: number,
  message: string,
  hint?: string,
  rpcCode: number = SERVER_ERROR,
): ErrorEntry {
  return hint === undefined
    ? { blame, rpcCode, status, message }
    : { blame, rpcCode, status, message, hint };
}

/** Every error that crosses a package line or the wire. Codes are stable: programs compare them. */
export const errorRegistry = {
  // JSON-RPC's own
  PARSE_ERROR: entry("caller", 400, "The message could not be parsed.", undefined, -32700),
  INVALID_REQUEST: entry("caller", 400, "The message is not a valid request.", undefined, -32600),
  METHOD_NOT_FOUND: entry("caller", 404, "There is no such method.", undefined, -32601),
  INVALID_PARAMS: entry("caller", 400, "The parameters are wrong.", undefined, -32602),
  INTERNAL_ERROR: entry(
    "us",
    500,
    "Something went wrong inside Paddock.",
    "Report it with the trace id.",
    -32603,
  ),
  INVALID_TREE: entry("caller", 400, "The stream of files is malformed."),
  INVALID_FRAME: entry("caller", 400, "The binary frame is malformed.", undefined, -32700),
  ABORTED: entry("caller", 499, "The operation was aborted.", undefined, 2),

  // Who is asking
  INVALID_TOKEN: entry(
    "caller",
    401,
    "The access token is unknown or revoked.",
    "`paddock token create` makes a new one.",
  ),
  FORBIDDEN: entry("caller", 403, "The access token does not allow this."),

  // What is asked for
  INVALID_CONFIG: entry("caller", 400, "The sandbox configuration is wrong."),
  UNKNOWN_REGION: entry("caller", 400, "There is no such region."),
  TIMEOUT_TOO_LONG: entry("caller", 400, "The timeout is longer than allowed."),
  SANDBOX_NOT_FOUND: entry(
    "caller",
    404,
    "There is no sandbox with this id.",
    "`paddock ls` lists the sandboxes of this organisation.",
  ),
  SANDBOX_ALREADY_EXISTS: entry("caller", 409, "A sandbox with this id already exists."),
  SANDBOX_STOPPED: entry(
    "caller",
    410,
    "The sandbox has stopped.",
    "A sandbox that has stopped does not come back: create another.",
  ),
  SANDBOX_OUT_OF_MEMORY: entry(
    "guest",
    410,
    "The sandbox ran out of memory and was ended.",
    "Create it with more memory.",
  ),
  EXPOSURE_NOT_FOUND: entry(
    "caller",
    404,
    "The sandbox has no preview URL or SSH access of this name.",
    "`paddock exposures ID` lists them.",
  ),
  NAME_TAKEN: entry(
    "caller",
    409,
    "Another sandbox has this name for its preview URL.",
    "Choose another name, or leave it out for a random one.",
  ),
  VOLUME_NOT_FOUND: entry(
    "caller",
    404,
    "There is no volume or snapshot with this id or slug.",
    "`paddock volume ls` and `paddock snapshot ls` list them.",
  ),
  VOLUME_IN_USE: entry(
    "caller",
    409,
    "The volume is in use.",
    "End the sandbox that has it, and try again.",
  ),
  SLUG_TAKEN: entry(
    "caller",
    409,
    "The organisation has a volume or a snapshot with this slug.",
    "Volumes and snapshots share their names: choose another.",
  ),
  VOLUME_NOT_BOOTABLE: entry(
    "caller",
    400,
    "The volume or snapshot holds no system to boot.",
    'Make one with `from: "builtin:debian-13"`.',
  ),
  VOLUME_FOREIGN_FORMAT: entry(
    "caller",
    409,
    "The volume belongs to another kind of machine than this Paddock runs.",
    "Copy its files over by way of two sandboxes, one on each.",
  ),
  VOLUME_CUT_OFF: entry(
    "caller",
    409,
    "The last machine that had the volume did not end in order, and its filesystem has yet to recover.",
    "Mount the volume in a sandbox, end that, and try again.",
  ),
  VOLUME_FAILED: entry("us", 500, "The volume or snapshot could not be made."),
  CHECKPOINT_NOT_FOUND: entry(
    "caller",
    404,
    "There is no checkpoint with this id or name.",
    "`paddock checkpoint ls` lists them.",
  ),
  CHECKPOINT_NAME_TAKEN: entry(
    "caller",
    409,
    "The organisation has a checkpoint with this name.",
    "Choose another name, or delete that checkpoint.",
  ),
  CHECKPOINT_UNUSABLE: entry(
    "operator",
    409,
    "The checkpoint cannot be restored on this host as it is now.",
  ),
  CHECKPOINT_DAMAGED: entry(
    "us",
    500,
    "The checkpoint's files are not what was written: it is not restored.",
    "Delete it, and look after the host's disk.",
  ),
  TEMPLATE_NOT_FOUND: entry(
    "caller",
    404,
    "There is no template with this name or id.",
    "`paddock template ls` lists them.",
  ),
  INVALID_TEMPLATE: entry(
    "caller",
    400,
    "The definition of the template is not valid.",
    "docs/templates.md says what it may have.",
  ),
  ROUTE_NOT_FOUND: entry("caller", 404, "There is nothing at this address."),
  METHOD_NOT_ALLOWED: entry("caller", 405, "This address does not answer to this HTTP method."),
  UPGRADE_REQUIRED: entry(
    "caller",
    426,
    "This address speaks WebSocket only.",
    "Ask with a WebSocket client.",
  ),
  VSCODE_NOT_READY: entry(
    "operator",
    503,
    "VS Code is not installed on this Paddock yet.",
    "`paddock image vscode` installs it; asking for an editor's URL does so too, and waits.",
  ),
  VSCODE_FAILED: entry("guest", 502, "VS Code did not start in the sandbox."),
  VSCODE_NEEDS_MEMORY: entry(
    "caller",
    400,
    "The sandbox has too little memory for VS Code.",
    "Create it with `memoryMb: 1024` or more.",
  ),
  SWITCHED_OFF: entry("caller", 501, "This Paddock's operator has switched that off."),
  NOT_SUPPORTED_YET: entry("caller", 501, "This Paddock does not do that yet."),
  DRIVER_CANNOT: entry(
    "caller",
    501,
    "The kind of machine that this sandbox is cannot do that.",
    "`paddock doctor` lists what each driver can do.",
  ),
  CHECKPOINT_FAILED: entry("us", 500, "The checkpoint could not be made; the sandbox runs on."),
  RESTORE_FAILED: entry("us", 500, "The machine could not be restored from its checkpoint."),

  // Limits
  BODY_TOO_LARGE: entry("caller", 413, "The request body is larger than allowed."),
  FILE_TOO_LARGE: entry(
    "caller",
    413,
    "The file is too large to travel in one message.",
    "Read or write it as a stream.",
  ),
  TOO_MANY_SANDBOXES: entry(
    "caller",
    429,
    "The organisation has as many sandboxes as it may have.",
    "Close one, or raise `limits.sandboxesPerOrganization`.",
  ),
  TOO_MANY_VOLUMES: entry(
    "caller",
    429,
    "The organisation has as many volumes and snapshots as it may have.",
    "Delete those that are not needed.",
  ),
  TOO_MANY_CHECKPOINTS: entry(
    "caller",
    429,
    "The organisation has as many checkpoints as it may have.",
    "Delete those that are not needed.",
  ),
  TOO_MANY_EXPOSURES: entry(
    "caller",
    429,
    "The sandbox has as many preview URLs and SSH names as it may have.",
    "Withdraw those that are not needed.",
  ),
  TOO_MANY_PROCESSES: entry(
    "caller",
    429,
    "The sandbox has as many processes as it may have.",
    "Wait for some of them, or kill them.",
  ),
  TOO_MANY_REPLS: entry(
    "caller",
    429,
    "The sandbox has as many REPLs as it may have.",
    "Close those that are not needed.",
  ),
  TOO_MANY_TERMINALS: entry(
    "caller",
    429,
    "The sandbox has as many terminals as it may have.",
    "Close those that are not needed.",
  ),
  TOO_MANY_FILES: entry(
    "caller",
    429,
    "The connection has as many open files as it may have.",
    "Close those that are not needed.",
  ),
  TOO_MANY_REQUESTS: entry(
    "caller",
    429,
    "Too many requests are waiting on this connection.",
    "Wait for answers before you ask for more.",
  ),
  TOO_MANY_CONNECTIONS: entry(
    "caller",
    429,
    "Too many connections are open.",
    "Close those that are not needed.",
  ),
  TOO_MANY_STREAMS: entry(
    "caller",
    429,
    "The connection has as many streams as it may have.",
    "Read streams to their end, or cancel them.",
  ),

  // Streams and values
  STREAM_NOT_FOUND: entry("caller", 400, "There is no stream with this id.", undefined, -32602),
  STREAM_OVERFLOW: entry("caller", 400, "The sender sent more than it was granted."),
  STREAM_STALLED: entry(
    "caller",
    408,
    "Nobody read the stream while its buffer was full.",
    "Read every stream that a call returns, or cancel it.",
  ),
  STREAM_CANCELLED: entry("caller", 499, "The reader gave up on the stream."),
  VALUE_NOT_SERIALIZABLE: entry("caller", 400, "The value cannot be sent."),

  // Connections, as the client library sees them
  CONNECTION_LOST: entry(
    "us",
    502,
    "The connection to the sandbox was lost.",
    "The call may or may not have happened: it was not repeated.",
    1,
  ),
  CONNECTION_CLOSED: entry("caller", 410, "The connection to the sandbox is closed.", undefined, 1),
  REQUEST_TIMED_OUT: entry("us", 504, "The answer took longer than allowed."),
  INVALID_ENDPOINT: entry("caller", 400, "The endpoint is not a valid URL."),
  UNEXPECTED_ANSWER: entry("us", 502, "The other side answered something unexpected."),

  // Arguments of a command or a call
  INVALID_ARGUMENT: entry("caller", 400, "An argument is wrong."),

  // The host and its operator
  HOST_CANNOT_RUN_SANDBOXES: entry(
    "operator",
    503,
    "This host cannot run sandboxes.",
    "`paddock doctor` says what is missing.",
  ),
  CAPACITY_EXHAUSTED: entry(
    "operator",
    503,
    "The host has no room for another sandbox.",
    "Try again when sandboxes have ended.",
  ),
  IMAGE_BUILD_FAILED: entry(
    "operator",
    503,
    "The guest image could not be built.",
    "`paddock image build` tries again and shows what it does.",
  ),
  DISK_FULL: entry(
    "operator",
    507,
    "The host's disk is full.",
    "Free space where `dataDir` is.",
  ),
  NOT_ROOT: entry("operator", 500, "Root is needed to run sandboxes.", "Run it with sudo."),
  MISSING_DEPENDENCY: entry(
    "operator",
    500,
    "A program this needs is not installed.",
    "`npm run setup` installs what is missing.",
  ),
  INVALID_SERVER_CONFIG: entry(
    "operator",
    500,
    "The server's configuration is wrong.",
    "docs/configuration.md lists the settings.",
  ),
  DATA_DIR_IN_USE: entry(
    "operator",
    500,
    "Another Paddock uses this data directory.",
    "Stop it, or give this one a data directory of its own.",
  ),
  ADDRESS_IN_USE: entry(
    "operator",
    500,
    "The address to listen on is in use.",
    "Choose another with `--listen`; port 0 takes any free one.",
  ),
  SHUTTING_DOWN: entry("operator", 503, "The server is shutting down.", "Try again shortly."),
  DRIVER_FAILED: entry("us", 500, "The machine could not be started."),
  CREATE_FAILED: entry("us", 500, "The sandbox could not be created."),

  // What visitors of a sandbox's servers meet
  PORT_NOT_LISTENING: entry(
    "guest",
    502,
    "Nothing listens on this port of the sandbox.",
    "Start the server in the sandbox, or wait until it listens.",
  ),
  GUEST_ANSWER_BROKEN: entry("guest", 502, "The server in the sandbox did not answer in HTTP."),
  GUEST_ANSWER_LATE: entry("guest", 504, "The server in the sandbox took too long to answer."),
  SANDBOX_STARTING: entry("guest", 503, "The sandbox is starting.", "Try again in a moment."),
  SANDBOX_PAUSED: entry(
    "caller",
    503,
    "The sandbox stood still meanwhile, for a checkpoint or a pause.",
    "Ask again.",
  ),
  ACCESS_TOKEN_NEEDED: entry(
    "caller",
    401,
    "This address is protected.",
    "Show its token in the header x-paddock-access, or open a signed link.",
  ),
  ACCESS_DENIED: entry(
    "caller",
    403,
    "The access token or the link is not valid for this address.",
    "Ask its owner for a new link.",
  ),
  MISDIRECTED_REQUEST: entry(
    "caller",
    421,
    "The connection was opened for another name.",
    "Open a connection for this name.",
  ),
  HEAD_TOO_LARGE: entry("caller", 431, "The head of the request is larger than allowed."),
  REQUEST_TOO_SLOW: entry("caller", 408, "The request took too long to arrive."),
  GATEWAY_BUSY: entry("operator", 503, "Too many connections are open.", "Try again shortly."),

  // The guest
  AGENT_UNREACHABLE: entry("guest", 502, "The program inside the sandbox does not answer."),
  PROCESS_NOT_FOUND: entry("caller", 404, "There is no such process in the sandbox."),
  REPL_CLOSED: entry("guest", 410, "The REPL has ended."),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorRegistry;

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(errorRegistry, code);
}

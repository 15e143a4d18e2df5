export { Sandbox, type ShellFunction } from "./sandbox.ts";
export { SandboxFiles } from "./sandbox_files.ts";
export { Client, type Sandboxes } from "./client.ts";
export type { BaseClientOptions } from "./endpoint.ts";
export type {
  ConnectOptions,
  Duration,
  SandboxOptions,
  SecretConfig,
  Timeout,
} from "./sandbox_options.ts";
export type { Memory } from "./memory.ts";
export type { SandboxesListOptions, SandboxMetadata } from "./sandbox_metadata.ts";
export { ChildProcess } from "./child_process.ts";
export type {
  ChildProcessOutput,
  ChildProcessStatus,
  OutputKind,
  Signal,
  SpawnOptions,
} from "./child_process_types.ts";
export {
  SandboxCommandBuilder,
  SandboxCommandChild,
  type SandboxCommandResult,
  type ShellOptions,
} from "./command_builder.ts";
export { KillController, KillSignal, type KillSignalListener } from "./kill_signal.ts";
export type { CodeExtension, DenoReplOptions, DenoRunOptions, SandboxDeno } from "./deno.ts";
export { DenoProcess, DenoProcess as JsRuntime } from "./deno_process.ts";
export { DenoRepl, DenoRepl as JsRepl } from "./deno_repl.ts";
export type { SandboxEnv } from "./env.ts";
export { FsFile, SeekMode } from "./fs_file.ts";
export type {
  DirEntry,
  ExpandGlobOptions,
  FileInfo,
  MkdirOptions,
  OpenOptions,
  ReadFileOptions,
  RemoveOptions,
  SandboxFs,
  TempOptions,
  WalkEntry,
  WalkOptions,
  WriteFileOptions,
} from "./fs_types.ts";
export type { DownloadOptions, TransferProgress, UploadOptions } from "./transfer_types.ts";
export type { RequestBody, RequestInit } from "./request.ts";
export { VsCode, type VsCodeOptions } from "./vscode.ts";
export { SandboxCommandError } from "./command_error.ts";
export { type DenoErrorName, errors } from "./deno_errors.ts";
export {
  ApiError,
  ConnectionClosedError,
  ConnectionEstablishmentError,
  ConnectionLostError,
  InvalidMemoryError,
  InvalidTimeoutError,
  InvalidTokenError,
  LocalDaemonError,
  MissingTokenError,
  NetworkError,
  RpcError,
  SandboxKillError,
  SandboxSdkError,
  type ServerRefusal,
  UnsafePathError,
} from "./errors.ts";

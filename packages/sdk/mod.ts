export { Sandbox, type ShellFunction } from "./sandbox.ts";
export { SandboxFiles } from "./sandbox_files.ts";
export { Client, type Sandboxes } from "./client.ts";
export type { Checkpoint, CheckpointOptions, Checkpoints } from "./checkpoint.ts";
export type { BuiltTemplate, Template, TemplateBuildOptions, Templates } from "./template.ts";
export type { TemplateDefinition } from "./template_definition.ts";
export { TemplateBuildError } from "./template_build_error.ts";
export { Volume } from "./volume.ts";
export { Snapshot } from "./snapshot.ts";
export type { Snapshots, Volumes } from "./volume_namespaces.ts";
export type {
  Capacity,
  ListOptions,
  SnapshotInit,
  SnapshotListOptions,
  VolumeInit,
  VolumeListOptions,
} from "./volume_types.ts";
export { PaginatedList } from "./paginated_list.ts";
export type { BaseClientOptions } from "./endpoint.ts";
export type {
  ConnectOptions,
  Duration,
  ForkOptions,
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
export {
  type ExposeHttpOptions,
  type ExposeOptions,
  type ExposureListItem,
  HttpExposure,
  type HttpTarget,
  type SignedLink,
  type SshAccess,
} from "./exposure.ts";
export type { RequestBody, RequestInit } from "./request.ts";
export { Terminal, type TerminalOptions } from "./terminal.ts";
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

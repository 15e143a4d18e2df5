export { createEngine, type EngineOptions } from "./create_engine.ts";
export type {
  EndReason,
  Engine,
  RecordStore,
  RunningSandbox,
  SandboxRecord,
  SandboxSpec,
  SandboxState,
} from "./engine.ts";
export { tryLockFile } from "./lock_file.ts";
export { createMemoryRecordStore } from "./memory_record_store.ts";
export type { NetworkOptions } from "./_network_plan.ts";
export type { GuestImage } from "./_sandbox_resources.ts";

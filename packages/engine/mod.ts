export type {
  EndReason,
  Engine,
  RecordStore,
  RunningSandbox,
  SandboxRecord,
  SandboxSpec,
  SandboxState,
} from "./engine.ts";

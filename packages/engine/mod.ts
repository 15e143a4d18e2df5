export { createEngine, type EngineOptions } from "./create_engine.ts";
export type {
  AroundStandstill,
  EndReason,
  Engine,
  ForkRequest,
  Greeting,
  NewSandbox,
  PausedState,
  RecordStore,
  RunningSandbox,
  SandboxRecord,
  SandboxSpec,
  SandboxState,
} from "./engine.ts";
export { tryLockFile } from "./lock_file.ts";
export { type Meters, noMeters } from "./meters.ts";
export { createMemoryRecordStore } from "./memory_record_store.ts";
export type { NetworkOptions } from "./_network_plan.ts";
export type { GuestImage } from "./_sandbox_resources.ts";
export type { Checkpoints, CheckpointSpec } from "./checkpoints/checkpoints.ts";
export type {
  CheckpointBounds,
  CheckpointKind,
  CheckpointState,
  CheckpointStore,
  StoredCheckpoint,
} from "./checkpoints/checkpoint_store.ts";
export { createMemoryCheckpointStore } from "./checkpoints/memory_checkpoint_store.ts";
export { refuseCheckpointBeyondBounds } from "./checkpoints/refuse_checkpoint_beyond_bounds.ts";
export { hasVolumes } from "./volumes/cold_launch.ts";
export { createMemoryVolumeStore } from "./volumes/memory_volume_store.ts";
export { refuseBeyondBounds, type VolumeTotals } from "./volumes/refuse_beyond_bounds.ts";
export type {
  StoredVolume,
  VolumeBounds,
  VolumeState,
  VolumeStore,
} from "./volumes/volume_store.ts";
export type { Volumes, VolumeSpec } from "./volumes/volumes.ts";

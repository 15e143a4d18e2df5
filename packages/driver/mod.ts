export type {
  Capability,
  CgroupPath,
  Checkpoint,
  CheckpointReport,
  Driver,
  DriverName,
  DriverTraits,
  LaunchSpec,
  Machine,
  MachineExit,
  MachineImage,
  MachineUsage,
  NetworkSlot,
  ProbeResult,
  RateLimits,
  ReapReport,
  RootVolume,
  VolumeFormat,
  VolumeMount,
} from "./driver.ts";
export { abortable } from "./abortable.ts";
export { LAYERS_PATH } from "./driver.ts";
export {
  Cgroup,
  type CgroupHost,
  type CgroupLimits,
  childCgroups,
  findCgroups,
  removeSharedCgroup,
} from "./cgroup.ts";
export { checkpointWithVolumes } from "./checkpoint_with_volumes.ts";
export { compileC } from "./compile_c.ts";
export { ConsoleLog } from "./console_log.ts";
export { missingCgroups, missingPrograms } from "./host_problems.ts";
export { Ending, endProcesses } from "./ending.ts";
export { createDiskImage } from "./disk_image.ts";
export { releasedByLoop } from "./loop_devices.ts";
export { type Log, silentLog } from "./log.ts";
export { type CommandOptions, type CommandResult, runCommand } from "./run_command.ts";
export { countSplicedBytes } from "./reclaim.ts";
export { MachineNotes } from "./machine_notes.ts";
export { syncTree } from "./sync_tree.ts";
export {
  checkVolumeImage,
  copyVolumeImage,
  createVolumeImage,
  growVolumeImage,
  lengthenVolumeImage,
  syncDirectory,
  syncFile,
  type VolumeImageOptions,
  type VolumeImageSize,
  volumeImageSize,
  wasCutOff,
} from "./volume_image.ts";
export { volumeImages } from "./volume_images.ts";
export { UnixListener, UnixSocket } from "./unix_socket.ts";
export { mostThreads } from "./most_threads.ts";
export { sleep } from "./sleep.ts";

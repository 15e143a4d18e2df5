export type {
  Capability,
  CgroupPath,
  Driver,
  DriverName,
  LaunchSpec,
  Machine,
  MachineExit,
  MachineUsage,
  NetworkSlot,
  ProbeResult,
  ReapReport,
} from "./driver.ts";
export { Cgroup, type CgroupHost, type CgroupLimits, childCgroups, findCgroups } from "./cgroup.ts";
export { createDiskImage } from "./disk_image.ts";
export { type Log, silentLog } from "./log.ts";
export { type CommandOptions, type CommandResult, runCommand } from "./run_command.ts";
export { sleep } from "./sleep.ts";

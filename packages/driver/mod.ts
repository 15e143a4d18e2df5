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

import type { MachineImage } from "@paddock/driver";

/** A checkpoint that machines are restored from. */
export interface RestoreSource {
  /** What the driver's `restore` takes. */
  directory: string;
  /** While it is still being written: settles when it is whole, or will not be. */
  written?: Promise<unknown>;
  /** Of the agent in it, until a restored machine is told another. */
  token: string;
  /** Left out: the node's present one. */
  image?: MachineImage;
  /** Machines that were restored from it and live: until they ended its files stay. */
  users: number;
  /** Called when the last of its users is gone. */
  unused?(): Promise<void>;
}

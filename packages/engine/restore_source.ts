import type { MachineImage } from "@paddock/driver";

/** Whose machines may be restored ahead of demand, and wait for whoever asks for one. */
export interface Stock {
  /** Never another's. */
  id: string;
  /** What they are restored from; whoever asked is a user of it until the release. */
  use(signal: AbortSignal): Promise<{ source: RestoreSource; release(): Promise<void> }>;
}

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
  /** Left out: each machine is restored when it is asked for. */
  stock?: Stock;
  /** Machines that were restored from it and live: until they ended its files stay. */
  users: number;
  /** Called when the last of its users is gone. */
  unused?(): Promise<void>;
}

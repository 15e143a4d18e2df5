import { PaddockError } from "@paddock/protocol";
import type { Accelerator } from "./machine_arguments.ts";

/** What a checkpoint's directory holds. */
export const CHECKPOINT = {
  note: "machine.json",
  /** The machine's devices, as QEMU writes them for a migration. */
  state: "state",
  /** The guest's memory as it was: mapped, never changed. */
  memory: "memory",
  disk: "disk.raw",
  layers: "layers.erofs",
} as const;

export interface CheckpointNote {
  format: 1;
  qemu: string;
  accelerator: Accelerator;
  /** The sandbox's memory, and what the machine has for it. */
  memoryBytes: number;
  machineBytes: number;
  image: string;
}

export function writeNote(directory: string, note: CheckpointNote): void {
  Deno.writeTextFileSync(`${directory}/${CHECKPOINT.note}`, JSON.stringify(note), { mode: 0o600 });
}

/** Reads the note and refuses what this host's QEMU could not go on with. */
export function readNote(
  directory: string,
  here: Pick<CheckpointNote, "qemu" | "accelerator" | "memoryBytes" | "image">,
): CheckpointNote {
  const note = parse(directory);
  const differences = ([
    ["qemu", "was made by QEMU"],
    ["accelerator", "was made with"],
    ["memoryBytes", "has a memory of"],
    ["image", "is of the image"],
  ] as const).filter(([name]) => note[name] !== here[name])
    .map(([name, what]) => `${what} ${note[name]}, not ${here[name]}`);
  if (differences.length === 0) return note;
  throw new PaddockError("DRIVER_FAILED", {
    message: `The checkpoint cannot be restored here: it ${differences.join("; it ")}.`,
  });
}

function parse(directory: string): CheckpointNote {
  try {
    const note = JSON.parse(Deno.readTextFileSync(`${directory}/${CHECKPOINT.note}`));
    if (note.format === 1 && Number.isSafeInteger(note.machineBytes)) return note;
    throw new Error("its note has another format");
  } catch (cause) {
    throw new PaddockError("DRIVER_FAILED", {
      message: "The checkpoint cannot be restored: it is not one of QEMU's.",
      cause,
    });
  }
}

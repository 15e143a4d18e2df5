import { cpioArchive, type CpioEntry } from "../../packages/driver/vm/cpio_archive.ts";
import type { KernelModule } from "./kernel_modules.ts";

export interface InitramfsParts {
  busybox: Uint8Array;
  init: Uint8Array;
  secondStage: Uint8Array;
  volumes: Uint8Array;
  modules: KernelModule[];
}

const directories = ["bin", "dev", "disk", "lower", "modules", "new", "paddock", "proc", "sys"];

/**
 * Busybox, the modules and the guest's init. Not compressed: unpacking costs an emulated guest more
 * than reading. The host appends each launch's configuration to it.
 */
export function buildInitramfs(parts: InitramfsParts): Uint8Array<ArrayBuffer> {
  const order = parts.modules.map(({ name }) => `${name}.ko\n`).join("");
  const entries: CpioEntry[] = [
    ...directories.map((path) => ({ path, mode: 0o040700 })),
    { path: "dev/console", mode: 0o020600, device: [5, 1] },
    { path: "dev/null", mode: 0o020666, device: [1, 3] },
    { path: "bin/busybox", mode: 0o100755, content: parts.busybox },
    { path: "init", mode: 0o100755, content: parts.init },
    { path: "second_stage", mode: 0o100600, content: parts.secondStage },
    { path: "volumes", mode: 0o100600, content: parts.volumes },
    { path: "modules/order", mode: 0o100600, content: new TextEncoder().encode(order) },
    ...parts.modules.map(({ name, content }) => ({
      path: `modules/${name}.ko`,
      mode: 0o100600,
      content,
    })),
  ];
  return cpioArchive(entries);
}

import { dirname } from "node:path";
import type { MachineImage } from "../driver.ts";
import { type PackedTree, packTree } from "./packed_tree.ts";

/** An image as virtual machines mount it. It lies beside the image's tree and is pruned with it. */
export function rootImage(image: MachineImage, signal: AbortSignal): Promise<PackedTree> {
  const store = dirname(image.rootfs);
  return packTree({ source: image.rootfs, store, name: "vm-root" }, signal);
}

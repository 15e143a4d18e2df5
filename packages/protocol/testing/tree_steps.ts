import type { TreeEntry, TreeSource } from "../tree_stream.ts";

/** An entry with all that is in it, where it is a file. */
export type TreeStep = TreeEntry & { content?: Uint8Array };

/** A tree that is there already, step by step. */
export function treeSteps(steps: TreeStep[]): TreeSource {
  let next = 0;
  let left = new Uint8Array(0);
  return {
    next() {
      if (next === steps.length) return undefined;
      const { content, ...entry } = steps[next++];
      left = content?.slice() ?? new Uint8Array(0);
      return entry as TreeEntry;
    },
    read(into) {
      const part = left.subarray(0, into.length);
      into.set(part);
      left = left.subarray(part.length);
      return part.length;
    },
  };
}

export const treeUp: TreeStep = { type: "up" };

export function treeDirectory(name: string, mode = 0o755): TreeStep {
  return { type: "directory", name, mode };
}

export function treeFile(name: string, text = "*", mode = 0o644): TreeStep {
  const content = new TextEncoder().encode(text);
  return { type: "file", name, mode, size: content.length, content };
}

import { Client, type SandboxMetadata } from "@paddock/sandbox";
import { clientOptions } from "../connection.ts";
import { formatDuration, formatLabels } from "../format.ts";
import { printJson, printLine, printNote } from "../output.ts";
import type { ConnectionOptions, JsonOption } from "./options.ts";

interface Node {
  id: string;
  labels: Record<string, string>;
  status: SandboxMetadata["status"];
  createdAt: Date;
  forks: Node[];
}

export async function treeCommand(options: ConnectionOptions & JsonOption): Promise<void> {
  const items = await new Client(clientOptions(options)).sandboxes.list({ status: "all" });
  const roots = forkTree(items);
  if (options.json) printJson(roots);
  else if (roots.length === 0) printNote("No running sandboxes.");
  else printLine(renderTree(roots, Date.now()));
}

/** Running sandboxes below what they were forked from; of ended ones those that still tell of it. */
export function forkTree(items: SandboxMetadata[]): Node[] {
  const nodes = new Map(
    items.map(({ id, labels, status, createdAt }) => [
      id,
      { id, labels, status, createdAt, forks: [] as Node[] },
    ]),
  );
  const roots: Node[] = [];
  for (const { id, parent } of [...items].reverse()) {
    const node = nodes.get(id)!;
    (nodes.get(parent ?? "")?.forks ?? roots).push(node);
  }
  const alive = (node: Node): boolean => {
    node.forks = node.forks.filter(alive);
    return node.status !== "stopped" || node.forks.length > 0;
  };
  return roots.filter(alive);
}

export function renderTree(roots: Node[], now: number): string {
  const lines: string[] = [];
  const add = (nodes: Node[], indent: string, top: boolean) => {
    nodes.forEach((node, index) => {
      const last = index === nodes.length - 1;
      const branch = top ? "" : last ? "└─ " : "├─ ";
      const age = node.status === "running"
        ? formatDuration(now - node.createdAt.getTime())
        : node.status;
      const labels = formatLabels(node.labels);
      lines.push(`${indent}${branch}${node.id}  ${age}${labels && `  ${labels}`}`);
      add(node.forks, top ? "" : `${indent}${last ? "   " : "│  "}`, false);
    });
  };
  add(roots, "", true);
  return lines.join("\n");
}

import { readFile } from "node:fs/promises";
import { clientPath, type ClientVersion } from "./clients.ts";

export interface ReadmeExample {
  heading: string;
  /** 1-based among the runnable blocks below that heading. */
  number: number;
  language: "js" | "ts";
  code: string;
}

/** Every JavaScript or TypeScript block of the installed client's README, as it stands there. */
export async function readmeExamples(version: ClientVersion): Promise<ReadmeExample[]> {
  const lines = (await readFile(`${clientPath(version)}/README.md`, "utf8")).split("\n");
  const examples: ReadmeExample[] = [];
  let heading = "";
  let block: ReadmeExample | undefined;
  for (const line of lines) {
    if (block) {
      if (line === "```") {
        examples.push(block);
        block = undefined;
      } else block.code += `${line}\n`;
      continue;
    }
    const title = /^#+ (.*)$/.exec(line);
    if (title) heading = title[1];
    const fence = /^```(js|ts)$/.exec(line);
    if (fence) {
      const number = examples.filter((example) => example.heading === heading).length + 1;
      block = { heading, number, language: fence[1] as "js" | "ts", code: "" };
    }
  }
  return examples;
}

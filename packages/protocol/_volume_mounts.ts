import { z } from "zod";
import type { LimitValues } from "./limits.ts";
import { overlappingPaths, volumePathProblem } from "./volume_path.ts";

/** An id or a slug. */
export const volumeReferenceSchema = z.string().min(1).max(64);

/** Which volumes a sandbox mounts, and where. */
export function volumeMountsSchema({ volumesPerSandbox }: Pick<LimitValues, "volumesPerSandbox">) {
  return z.array(z.strictObject({ volume: volumeReferenceSchema, path: z.string().max(1024) }))
    .superRefine((mounts, context) => {
      const refuse = (message: string, path: (string | number)[] = []) =>
        context.addIssue({ code: "custom", message, path });
      if (mounts.length > volumesPerSandbox) {
        return refuse(
          `at most ${volumesPerSandbox} volumes are mounted (limits.volumesPerSandbox)`,
        );
      }
      for (const [index, { path }] of mounts.entries()) {
        const problem = volumePathProblem(path);
        if (problem !== undefined) refuse(problem, [index, "path"]);
      }
      const overlap = overlappingPaths(mounts.map(({ path }) => path));
      if (overlap) {
        refuse(`${overlap[1]} is inside ${overlap[0]}: each volume has a place of its own`);
      }
    });
}

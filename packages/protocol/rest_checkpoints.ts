import { z } from "zod";
import { volumeSlugProblem } from "./volume_slug.ts";

export const checkpointNameSchema = z.string().max(64).superRefine((name, context) => {
  const message = volumeSlugProblem(name)?.replace("a slug", "a name");
  if (message !== undefined) context.addIssue({ code: "custom", message });
});

/** Body of `POST /api/v3/sandbox/:id/checkpoint`. */
export const checkpointInitSchema = z.strictObject({
  /** As slugs of volumes are; left out: it has its id alone. */
  name: checkpointNameSchema.optional(),
});

/** An id or a name. */
export const checkpointReferenceSchema = z.string().min(1).max(64);

/** A checkpoint as every answer shows it. */
export const checkpointSchema = z.object({
  id: z.string(),
  name: z.string().nullable(),
  region: z.string(),
  /** The sandbox it is a checkpoint of, and the labels it had. */
  sandboxId: z.string(),
  labels: z.record(z.string(), z.string()),
  driver: z.string(),
  memoryMb: z.int(),
  /** What it takes up. */
  bytes: z.int(),
  createdAt: z.iso.datetime(),
});

export const checkpointListSchema = z.array(checkpointSchema);

export type CheckpointInfo = z.infer<typeof checkpointSchema>;

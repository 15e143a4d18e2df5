import { z } from "zod";
import { checkpointNameSchema, checkpointSchema } from "./rest_checkpoints.ts";

/** Body of `POST /api/v3/sandbox/:id/template`. */
export const templateInitSchema = z.strictObject({
  /** One that has this name already makes way for the new one when that is whole. */
  name: checkpointNameSchema,
  /** What it was built from, as its builder sums it up: the same again need not be built again. */
  definition: z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256 in hexadecimal"),
});

/** A template as every answer shows it. */
export const templateSchema = checkpointSchema
  .pick({ id: true, region: true, driver: true, memoryMb: true, bytes: true, createdAt: true })
  .extend({ name: z.string(), definition: z.string() });

export const templateListSchema = z.array(templateSchema);

/** Answer of `GET /api/v3/templates/:id`. */
export const templateStateSchema = templateSchema.extend({
  /** It has the guest image and the version of the driver that this server has now. */
  current: z.boolean(),
});

export type TemplateInfo = z.infer<typeof templateSchema>;

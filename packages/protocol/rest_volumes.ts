import { z } from "zod";
import { parseCapacity } from "./capacity.ts";
import { defaultLimits, type LimitValues } from "./limits.ts";
import { volumeSlugProblem } from "./volume_slug.ts";

/** What a bootable volume is made from when no snapshot is named: this Paddock's guest image. */
export const BUILTIN_BASE = "builtin:debian-13";

type VolumeLimits = Pick<
  LimitValues,
  "volumeMinBytes" | "volumeMaxBytes" | "bootableVolumeMinBytes"
>;

const slugSchema = z.string().max(64).superRefine((slug, context) => {
  const message = volumeSlugProblem(slug);
  if (message !== undefined) context.addIssue({ code: "custom", message });
});

const capacitySchema = z.union([z.number(), z.string().max(64)]).transform((value, context) => {
  try {
    return parseCapacity(value);
  } catch (error) {
    context.addIssue({ code: "custom", message: (error as Error).message });
    return z.NEVER;
  }
});

/**
 * `Volume.create` and `Snapshot.create` of published clients send their options whole, and these may
 * be among them. They say nothing to the server: who asks is in the headers.
 */
const CLIENT_OPTIONS = {
  token: z.string().optional(),
  org: z.string().optional(),
  apiEndpoint: z.string().optional(),
};

/** An id or a slug, or with `builtin:` the name of what comes with Paddock. */
const referenceSchema = z.string().min(1).max(64);

/** Body of `POST /api/v2/volumes`. */
export function createVolumeInitSchema(limits: VolumeLimits = defaultLimits) {
  const { volumeMinBytes: min, volumeMaxBytes: max, bootableVolumeMinBytes } = limits;
  return z.strictObject({
    slug: slugSchema,
    /** Left out: the server's first. */
    region: z.string().max(64).optional(),
    capacity: capacitySchema.refine(
      (bytes) => bytes >= min && bytes <= max,
      `a volume has ${min} to ${max} bytes (limits.volumeMinBytes, limits.volumeMaxBytes)`,
    ),
    from: referenceSchema.optional(),
    ...CLIENT_OPTIONS,
  }).superRefine(({ from, capacity }, context) => {
    if (from !== BUILTIN_BASE || capacity >= bootableVolumeMinBytes) return;
    const message = `one made from ${BUILTIN_BASE} has at least ${bootableVolumeMinBytes} bytes ` +
      "(limits.bootableVolumeMinBytes)";
    context.addIssue({ code: "custom", path: ["capacity"], message });
  });
}

export const volumeInitSchema: ReturnType<typeof createVolumeInitSchema> = createVolumeInitSchema();

/** Body of `POST /api/v2/volumes/{id}/snapshot`. */
export const snapshotInitSchema = z.strictObject({ slug: slugSchema, ...CLIENT_OPTIONS });

const namedSchema = z.object({ id: z.string(), slug: z.string() });

/** An item of `GET /api/v2/volumes`, and the answer for one. */
export const volumeSchema = z.object({
  ...namedSchema.shape,
  region: z.string(),
  /** Bytes, as are the sizes. */
  capacity: z.int(),
  /** What it takes on the host that nothing else shares. */
  estimated_allocated_size: z.int(),
  /** What it would take if it shared nothing. */
  estimated_flattened_size: z.int(),
  is_bootable: z.boolean(),
  /** null also when that snapshot has been deleted since. */
  base_snapshot: namedSchema.nullable(),
  /** Ours: the sandbox that has it mounted. */
  attached_to: z.string().nullable(),
  created_at: z.iso.datetime(),
});

/** An item of `GET /api/v2/snapshots`, and the answer for one. */
export const snapshotSchema = z.object({
  ...namedSchema.shape,
  region: z.string(),
  /** Ours: what a volume made from it has at least. */
  capacity: z.int(),
  allocated_size: z.int(),
  flattened_size: z.int(),
  is_bootable: z.boolean(),
  /** What it was made of, which may have been deleted since. */
  volume: namedSchema,
  created_at: z.iso.datetime(),
});

export const volumeListSchema = z.array(volumeSchema);
export const snapshotListSchema = z.array(snapshotSchema);

/** Answer of both DELETE operations. */
export const deletedSchema = namedSchema;

export type VolumeInfo = z.infer<typeof volumeSchema>;
export type SnapshotInfo = z.infer<typeof snapshotSchema>;

import { createHash } from "node:crypto";
import { guestLayout, recipe } from "./recipe.ts";
import type { GuestFile } from "./guest_files.ts";
import type { HostPrograms } from "./host_programs.ts";

export type Trust = "host" | "debian";

export interface BaseInputs {
  recipe: unknown;
  arch: string;
  mirror: string | null;
  deno: string;
  node: string;
  npm: string;
}

export interface ImageInputs {
  base: string;
  layout: number;
  trust: Trust;
  hostBundle: string | null;
  files: Record<string, string>;
}

// A digest is of what was asked for, not of what came out: Debian's own updates between two builds do
// not make two images, and the digest is known before anything is built.

export function baseInputs(programs: HostPrograms, mirror: string | undefined): BaseInputs {
  return {
    recipe,
    arch: Deno.build.arch,
    mirror: mirror ?? null,
    deno: programs.deno.version,
    node: programs.node.version,
    npm: programs.npm.version,
  };
}

export function imageInputs(
  base: string,
  trust: Trust,
  hostBundle: string | undefined,
  files: GuestFile[],
): ImageInputs {
  return {
    base,
    layout: guestLayout,
    trust,
    hostBundle: hostBundle === undefined ? null : sha256(hostBundle),
    files: Object.fromEntries(
      files.map((file) => [`${file.path} ${file.mode.toString(8)}`, sha256(file.content)]),
    ),
  };
}

/** A name for inputs: short enough for a path, long enough never to collide. */
export function digestOf(inputs: BaseInputs | ImageInputs): string {
  return sha256(JSON.stringify(inputs)).slice(0, 32);
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

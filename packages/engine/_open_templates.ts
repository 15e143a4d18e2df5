import type { ProbeResult } from "@paddock/driver";
import { refuseWithoutRoom } from "./_host_room.ts";
import type { EngineParts } from "./_sandbox_resources.ts";
import { buildTemplate } from "./_build_template.ts";
import { layersState } from "./_layers_state.ts";
import { templateKey } from "./_template_key.ts";
import { TemplateStore } from "./_template_store.ts";

const MiB = 1024 * 1024;

/** The templates of an engine; the one for the default size is seen to at once. */
export async function openTemplates(
  parts: EngineParts,
  probe: ProbeResult,
  directory: string,
): Promise<TemplateStore> {
  const { driver, image, limits, log } = parts;
  const { memoryFixed, layersFixed } = driver.traits;
  const defaultBytes = limits.memoryDefaultMb * MiB;
  const store = new TemplateStore({
    directory,
    most: limits.templates,
    buildMs: limits.templateBuildMs + (driver.traits.slowBootMs ?? 0),
    log,
    keyOf: async (memoryBytes) =>
      await templateKey({
        driver: driver.name,
        driverVersion: probe.version ?? "",
        imageDigest: image.digest,
        imageEnv: image.env ?? {},
        limits,
        memoryBytes: memoryFixed ? memoryBytes : "any",
        layers: layersFixed ? await layersState(parts.layers) : "any",
      }),
    build: async (memoryBytes, target, signal) => {
      await refuseWithoutRoom(directory, limits);
      return await buildTemplate(parts, memoryFixed ? memoryBytes : defaultBytes, target, signal);
    },
  });
  await store.open();
  await store.find(defaultBytes);
  return store;
}

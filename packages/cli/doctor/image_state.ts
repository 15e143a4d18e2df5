import { imageIsBuilt } from "../../../images/build_image.ts";

export interface ImageState {
  present: boolean;
  digest: string | null;
  detail: string;
  fix?: string;
}

/** Whether the guest image this version needs is there; nothing is built. */
export async function imageState(
  config: { dataDir: string; imageTrust: "host" | "debian" },
): Promise<ImageState> {
  try {
    const { digest, built } = await imageIsBuilt({
      dataDir: config.dataDir,
      trust: config.imageTrust,
    });
    if (built) return { present: true, digest, detail: `built (${digest})` };
    return {
      present: false,
      digest,
      detail: "not built yet; serve builds it at its first start",
      fix: "npx paddock image build",
    };
  } catch (error) {
    return {
      present: false,
      digest: null,
      detail: `cannot be built: ${(error as Error).message.split("\n")[0]}`,
    };
  }
}

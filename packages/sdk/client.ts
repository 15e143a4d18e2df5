import type { BaseClientOptions } from "./endpoint.ts";
import { type Checkpoints, createCheckpoints } from "./checkpoint.ts";
import { Sandbox } from "./sandbox.ts";
import {
  listSandboxes,
  type SandboxesListOptions,
  type SandboxMetadata,
} from "./sandbox_metadata.ts";
import type { ConnectOptions, SandboxOptions } from "./sandbox_options.ts";
import { createTemplates, type Templates } from "./template.ts";
import {
  createSnapshots,
  createVolumes,
  type Snapshots,
  type Volumes,
} from "./volume_namespaces.ts";

/** The sandboxes of an organisation. */
export interface Sandboxes {
  /** Same as `Sandbox.create`, with the client's endpoint and token. */
  create(options?: SandboxOptions): Promise<Sandbox>;
  /** Same as `Sandbox.connect`, with the client's endpoint and token. */
  connect(id: string, options?: ConnectOptions): Promise<Sandbox>;
  /** Running sandboxes, newest first. */
  list(options?: SandboxesListOptions): Promise<SandboxMetadata[]>;
}

/**
 * A server and a token, to use for several things.
 *
 * ```ts
 * const client = new Client({ endpoint: "https://paddock.example.com", token: "ddo_…" });
 * const mine = await client.sandboxes.list({ labels: { user: "ada" } });
 * ```
 */
export class Client {
  readonly #sandboxes: Sandboxes;
  readonly #volumes: Volumes;
  readonly #snapshots: Snapshots;
  readonly #checkpoints: Checkpoints;
  readonly #templates: Templates;

  constructor(options: BaseClientOptions = {}) {
    this.#volumes = createVolumes(options);
    this.#snapshots = createSnapshots(options);
    this.#checkpoints = createCheckpoints(options);
    this.#templates = createTemplates(options);
    this.#sandboxes = {
      create: (more) => Sandbox.create({ ...options, ...more }),
      connect: (id, more) => Sandbox.connect(id, { ...options, ...more }),
      async list(filter) {
        const found: SandboxMetadata[] = [];
        for await (const item of listSandboxes(options, filter)) found.push(item);
        return found;
      },
    };
  }

  get sandboxes(): Sandboxes {
    return this.#sandboxes;
  }

  get volumes(): Volumes {
    return this.#volumes;
  }

  get checkpoints(): Checkpoints {
    return this.#checkpoints;
  }

  get templates(): Templates {
    return this.#templates;
  }

  get snapshots(): Snapshots {
    return this.#snapshots;
  }
}

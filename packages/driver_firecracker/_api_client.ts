import { Agent, type IncomingMessage, request } from "node:http";
import type { z } from "zod";
import { UnixSocket } from "@paddock/driver";
import {
  balloonSchema,
  balloonStatisticsSchema,
  type Drive,
  faultSchema,
  instanceSchema,
  type NetworkInterface,
  type RateLimiter,
  type SnapshotLoad,
} from "./_api_schemas.ts";

/** Answers are small; a VMM that a guest has taken over may send anything. */
const MAX_ANSWER_BYTES = 64 * 1024;
const MAX_FAULT_CHARACTERS = 500;
/** For what changes a setting; snapshots have deadlines of their own. */
const DEADLINE_MS = 10_000;

/** Firecracker has refused a request, has answered nonsense, or not at all. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** HTTP status; undefined when there was no answer. */
  readonly status?: number;

  constructor(message: string, options: { status?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.status = options.status;
  }
}

interface CallOptions {
  signal?: AbortSignal;
  deadlineMs?: number;
}

/**
 * Firecracker's API on its socket. One connection is kept: it is made before the guest runs, and so
 * leads to the VMM that was started and to nothing that has taken its socket's place later.
 */
export class ApiClient implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(socketPath: string) {
    this.#agent.createConnection = (_options, done) => {
      UnixSocket.connect(socketPath).then(
        (socket) => done?.(null, socket),
        (error) => done?.(error, undefined as never),
      );
      return undefined;
    };
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  instance(options?: CallOptions) {
    return this.#read("/", instanceSchema, options);
  }

  bootSource(
    body: { kernel_image_path: string; initrd_path: string; boot_args: string },
    options?: CallOptions,
  ) {
    return this.#change("PUT", "/boot-source", body, options);
  }

  machineConfig(
    body: { vcpu_count: number; mem_size_mib: number; track_dirty_pages: boolean },
    options?: CallOptions,
  ) {
    return this.#change("PUT", "/machine-config", body, options);
  }

  drive(body: Drive, options?: CallOptions) {
    return this.#change("PUT", `/drives/${body.drive_id}`, body, options);
  }

  driveLimit(body: { drive_id: string; rate_limiter: RateLimiter }, options?: CallOptions) {
    return this.#change("PATCH", `/drives/${body.drive_id}`, body, options);
  }

  networkInterface(body: NetworkInterface, options?: CallOptions) {
    return this.#change("PUT", `/network-interfaces/${body.iface_id}`, body, options);
  }

  networkLimits(
    body: { iface_id: string; rx_rate_limiter: RateLimiter; tx_rate_limiter: RateLimiter },
    options?: CallOptions,
  ) {
    return this.#change("PATCH", `/network-interfaces/${body.iface_id}`, body, options);
  }

  entropy(options?: CallOptions) {
    return this.#change("PUT", "/entropy", {}, options);
  }

  balloon(
    body: { amount_mib: number; deflate_on_oom: boolean; stats_polling_interval_s: number },
    options?: CallOptions,
  ) {
    return this.#change("PUT", "/balloon", body, options);
  }

  inflateBalloon(amountMib: number, options?: CallOptions) {
    return this.#change("PATCH", "/balloon", { amount_mib: amountMib }, options);
  }

  balloonConfig(options?: CallOptions) {
    return this.#read("/balloon", balloonSchema, options);
  }

  balloonStatistics(options?: CallOptions) {
    return this.#read("/balloon/statistics", balloonStatisticsSchema, options);
  }

  action(action: "InstanceStart" | "FlushMetrics" | "SendCtrlAltDel", options?: CallOptions) {
    return this.#change("PUT", "/actions", { action_type: action }, options);
  }

  vmState(state: "Paused" | "Resumed", options?: CallOptions) {
    return this.#change("PATCH", "/vm", { state }, options);
  }

  createSnapshot(
    body: { snapshot_type: "Full" | "Diff"; snapshot_path: string; mem_file_path: string },
    options?: CallOptions,
  ) {
    return this.#change("PUT", "/snapshot/create", body, options);
  }

  loadSnapshot(body: SnapshotLoad, options?: CallOptions) {
    return this.#change("PUT", "/snapshot/load", body, options);
  }

  async #change(method: string, path: string, body: unknown, options?: CallOptions): Promise<void> {
    await this.#call(method, path, body, options);
  }

  async #read<T>(path: string, schema: z.ZodType<T>, options?: CallOptions): Promise<T> {
    const text = await this.#call("GET", path, undefined, options);
    const parsed = schema.safeParse(parseJson(text));
    if (parsed.success) return parsed.data;
    throw new ApiError(`Firecracker's answer to GET ${path} is not understood`, {
      cause: parsed.error,
    });
  }

  async #call(
    method: string,
    path: string,
    body: unknown,
    { signal, deadlineMs = DEADLINE_MS }: CallOptions = {},
  ): Promise<string> {
    const deadline = AbortSignal.timeout(deadlineMs);
    const stop = signal ? AbortSignal.any([signal, deadline]) : deadline;
    stop.throwIfAborted();
    try {
      const { status, text } = await this.#exchange(method, path, body, stop);
      if (status >= 200 && status < 300) return text;
      const fault = faultSchema.safeParse(parseJson(text));
      const why = fault.success ? fault.data.fault_message : `status ${status}`;
      throw new ApiError(
        `Firecracker refused ${method} ${path}: ${why.slice(0, MAX_FAULT_CHARACTERS)}`,
        { status },
      );
    } catch (error) {
      if (error instanceof ApiError) throw error;
      signal?.throwIfAborted();
      if (deadline.aborted) {
        throw new ApiError(`Firecracker did not answer ${method} ${path} within ${deadlineMs} ms`);
      }
      throw new ApiError(
        `${method} ${path} did not reach Firecracker: ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
  }

  #exchange(
    method: string,
    path: string,
    body: unknown,
    signal: AbortSignal,
  ): Promise<{ status: number; text: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const call = request({
      agent: this.#agent,
      method,
      path,
      headers: {
        accept: "application/json",
        ...(payload === undefined ? {} : {
          "content-type": "application/json",
          "content-length": new TextEncoder().encode(payload).length,
        }),
      },
    });
    const onAbort = () => {
      reject(signal.reason);
      call.destroy();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    call.once("error", reject);
    call.once("response", (answer) => {
      readAnswer(answer, call).then(
        (text) => resolve({ status: answer.statusCode ?? 0, text }),
        reject,
      );
    });
    call.end(payload);
    return promise.finally(() => signal.removeEventListener("abort", onAbort));
  }
}

async function readAnswer(answer: IncomingMessage, call: { destroy(): void }): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      call.destroy();
      throw new ApiError(`Firecracker's answer is longer than ${MAX_ANSWER_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  const text = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    text.set(chunk, at);
    at += chunk.length;
  }
  return new TextDecoder().decode(text);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

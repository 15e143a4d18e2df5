import type { ClaimedStream, MethodInput, MethodName, MethodOutput } from "@paddock/protocol";
import type { FileHandles } from "../fs/handles.ts";

/** What a method's work may use of the connection it was called on. */
export interface Call {
  /** Aborted when the client asks for it, with the id it gave, or is gone. */
  signal(abortId?: number): AbortSignal;
  abort(abortId: number): void;
  readonly files: FileHandles;
  /** Has a stream sent once the call is answered, and gives its id. */
  send(stream: ReadableStream<Uint8Array>): number;
  /** The stream that the client sends under this id. */
  receive(streamId: number): ReadableStream<Uint8Array>;
  /** The same, for one who says later how it will be read. */
  claim(streamId: number): ClaimedStream;
  /** Drops a stream that will not be read. */
  refuse(streamId: number | undefined, reason: unknown): void;
  notifyRestart(watcherId: string): void;
}

export type Handler<M extends MethodName> = (
  input: MethodInput<M>,
  call: Call,
) => Promise<Result<M>> | Result<M>;

/** Methods that return nothing may be functions that do. */
type Result<M extends MethodName> = undefined extends MethodOutput<M> ? MethodOutput<M> | void
  : MethodOutput<M>;

export type Handlers = { [M in MethodName]: Handler<M> };

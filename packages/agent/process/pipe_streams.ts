import { isTemporary, readiness } from "./readiness.ts";
import { Errno, system } from "./system.ts";

const F_SETPIPE_SZ = 1031;
const READ_BYTES = 64 * 1024;
/** A pipe that is found full gets this size, so that whoever writes much is woken less often. */
const BULK_PIPE_BYTES = 1024 * 1024;
/** After so much without a wait, everybody else has a turn. It takes milliseconds, so not often. */
const TURN_BYTES = 16 * 1024 * 1024;

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

export interface ReadablePipe {
  stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** A read that waits looks once more whether there is something, whatever it has been told. */
  lookAgain(): void;
}

/** What comes out of a pipe, read only as far as somebody asks. The descriptor must not block. */
export function readablePipe(fd: number): ReadablePipe {
  const calls = system();
  let open = true;
  let bulk = false;
  let sinceWait = 0;
  const close = () => {
    if (!open) return;
    open = false;
    readiness().forget(fd);
    calls.close(fd);
  };
  const stream = new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: READ_BYTES,
    async pull(controller) {
      const view = controller.byobRequest!.view as Uint8Array<ArrayBuffer>;
      if (sinceWait >= TURN_BYTES) {
        sinceWait = 0;
        await turn();
      }
      while (open) {
        const read = Number(calls.read(fd, view, BigInt(view.byteLength)));
        if (read > 0) {
          sinceWait += read;
          if (!bulk && read >= READ_BYTES) {
            bulk = true;
            calls.fcntl(fd, F_SETPIPE_SZ, BULK_PIPE_BYTES);
          }
          controller.byobRequest!.respond(read);
          return;
        }
        if (read === 0) {
          close();
          controller.close();
          controller.byobRequest?.respond(0);
          return;
        }
        const errno = calls.errno();
        if (!isTemporary(errno)) {
          close();
          throw new Error(`A pipe cannot be read (os error ${errno})`);
        }
        sinceWait = 0;
        await readiness().wait(fd, "read");
      }
    },
    cancel: close,
  }, { highWaterMark: 0 });
  return { stream, lookAgain: () => open && readiness().wake(fd) };
}

/** What goes into a pipe; a write lasts until the other side has made room. */
export function writablePipe(fd: number): WritableStream<Uint8Array> {
  const calls = system();
  let open = true;
  const close = () => {
    if (!open) return;
    open = false;
    readiness().forget(fd);
    calls.close(fd);
  };
  return new WritableStream({
    start(controller) {
      controller.signal.addEventListener("abort", close, { once: true });
    },
    async write(chunk) {
      // A view of shared memory is none that the other side of a call may be given.
      let rest = chunk as Uint8Array<ArrayBuffer>;
      while (rest.length > 0) {
        if (!open) throw new Deno.errors.BrokenPipe("Broken pipe (os error 32)");
        const written = Number(calls.write(fd, rest, BigInt(rest.length)));
        if (written >= 0) {
          rest = rest.subarray(written);
          continue;
        }
        const errno = calls.errno();
        if (isTemporary(errno)) {
          await readiness().wait(fd, "write");
          continue;
        }
        close();
        if (errno === Errno.EPIPE) throw new Deno.errors.BrokenPipe("Broken pipe (os error 32)");
        throw new Error(`A pipe cannot be written (os error ${errno})`);
      }
    },
    close,
    abort: close,
  });
}

import { TreeDecoder } from "@paddock/protocol";
import assert from "node:assert/strict";
import type { FileInfo, SandboxFs } from "./fs_types.ts";
import { type SendTree, upload } from "./upload.ts";
import type { UploadOptions } from "./transfer_types.ts";

/** A sandbox in which there is nothing, or one thing. */
function sandboxWith(kind: "nothing" | "directory" | "file" = "nothing"): SandboxFs {
  const info = { isDirectory: kind === "directory", isFile: kind === "file" } as FileInfo;
  let asked = 0;
  return {
    stat() {
      if (kind !== "nothing" && asked++ === 0) return Promise.resolve(info);
      return Promise.reject(Object.assign(new Error("not there"), { name: "NotFound" }));
    },
  } as unknown as SandboxFs;
}

interface Received {
  path: string;
  /** `d name mode`, `f name mode text`, `l name target`, `up`. */
  steps: string[];
}

async function uploaded(
  localPath: string,
  options: UploadOptions & { fs?: SandboxFs; at?(step: string): void } = {},
): Promise<Received> {
  const received: Received = { path: "", steps: [] };
  const { fs = sandboxWith(), at, ...rest } = options;
  const sendTree: SendTree = async (target, content) => {
    received.path = target.path;
    const text = new TextDecoder();
    const decoder = new TreeDecoder({
      entry(entry) {
        const { type } = entry;
        if (type === "up") received.steps.push("up");
        else if (type === "link") received.steps.push(`l ${entry.name} ${entry.target}`);
        else if (type !== "other") {
          received.steps.push(`${type[0]} ${entry.name} ${entry.mode.toString(8)}`);
        }
        at?.(received.steps.at(-1)!);
      },
      content(bytes) {
        received.steps[received.steps.length - 1] += ` ${text.decode(bytes)}`;
      },
      fileEnd() {},
    });
    for await (const chunk of content) decoder.push(chunk);
    decoder.end();
  };
  await upload(fs, sendTree, localPath, "/target", rest);
  return received;
}

async function inTempDir(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "paddock_upload_" });
  try {
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function openDescriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

Deno.test("a tree is sent with modes, and links as what they say", async () => {
  await inTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/tree/sub`, { recursive: true });
    await Deno.writeTextFile(`${dir}/tree/a\nb`, "first");
    await Deno.writeTextFile(`${dir}/tree/sub/c`, "second");
    await Deno.symlink("/etc/passwd", `${dir}/tree/sub/l`);
    await Deno.chmod(`${dir}/tree/sub/c`, 0o750);
    await Deno.chmod(`${dir}/tree/sub`, 0o700);
    const { path, steps } = await uploaded(`${dir}/tree`);
    assert.equal(path, "/target");
    assert.equal(steps[0], "d  755");
    assert.deepEqual([...steps].sort(), [
      "d  755",
      "d sub 700",
      "f a\nb 644 first",
      "f c 750 second",
      "l l /etc/passwd",
      "up",
      "up",
    ]);
    const into = await uploaded(`${dir}/tree/`, { fs: sandboxWith("directory") });
    assert.equal(into.path, "/target/tree");
  });
});

Deno.test("a thousand entries and a large file; no descriptor stays open", async () => {
  await inTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/t`);
    for (let i = 0; i < 1000; i++) await Deno.writeTextFile(`${dir}/t/${i}`, `${i}`);
    await Deno.writeTextFile(`${dir}/t/large`, "x".repeat(3_000_000));
    const before = openDescriptors();
    let bytes = 0;
    let entries = 0;
    const { steps } = await uploaded(`${dir}/t`, {
      onProgress: (progress) => ({ bytes, entries } = progress),
    });
    assert.equal(steps.length, 1003);
    assert.equal(new Set(steps).size, 1003);
    assert.equal(bytes, 3_000_000 + 2890);
    assert.equal(entries, 1002);
    assert.equal(openDescriptors(), before);
  });
});

Deno.test("what is put in the place of a file or directory meanwhile is not followed", async () => {
  await inTempDir(async (secret) => {
    await Deno.writeTextFile(`${secret}/key`, "SECRET");
    for (const swapped of ["z", "zdir"]) {
      await inTempDir(async (dir) => {
        await Deno.mkdir(`${dir}/t/zdir`, { recursive: true });
        await Deno.writeTextFile(`${dir}/t/zdir/key`, "public");
        await Deno.writeTextFile(`${dir}/t/z`, "public");
        // More than are looked at ahead, in an order that nobody promises: the swap may come late.
        for (let i = 0; i < 200; i++) await Deno.writeTextFile(`${dir}/t/a${i}`, "x".repeat(9_000));
        let done = false;
        const swap = () => {
          if (done) return;
          done = true;
          Deno.renameSync(`${dir}/t/${swapped}`, `${dir}/moved`);
          Deno.symlinkSync(swapped === "z" ? `${secret}/key` : secret, `${dir}/t/${swapped}`);
        };
        const sent = await uploaded(`${dir}/t`, { at: swap }).then(
          ({ steps }) => steps.join(),
          (error) => {
            assert.equal(error.code, "UNSAFE_PATH");
            return "";
          },
        );
        assert.ok(done && !sent.includes("SECRET"));
      });
    }
  });
});

Deno.test("a root that is swapped for a link while it is read stays the one it was", async () => {
  await inTempDir(async (secret) => {
    await Deno.writeTextFile(`${secret}/f100`, "SECRET");
    await inTempDir(async (dir) => {
      await Deno.mkdir(`${dir}/t`);
      for (let i = 0; i < 200; i++) await Deno.writeTextFile(`${dir}/t/f${i}`, "x".repeat(9_000));
      let done = false;
      const { steps } = await uploaded(`${dir}/t`, {
        at() {
          if (done) return;
          done = true;
          Deno.renameSync(`${dir}/t`, `${dir}/moved`);
          Deno.symlinkSync(secret, `${dir}/t`);
        },
      });
      assert.equal(steps.length, 202);
      assert.ok(!steps.join().includes("SECRET"));
    });
  });
});

Deno.test("what cannot be sent is named, and does not hang", async () => {
  await inTempDir(async (dir) => {
    await assert.rejects(uploaded(`${dir}/missing`), { code: "ENOENT" });
    await Deno.mkdir(`${dir}/pipes`);
    await new Deno.Command("mkfifo", { args: [`${dir}/pipes/p`] }).output();
    await assert.rejects(uploaded(`${dir}/pipes`), /pipes\/p is no file/);
    await assert.rejects(uploaded(`${dir}/pipes/p`), /pipes\/p is no file/);
    await Deno.mkdir(`${dir}/sockets`);
    using _listener = Deno.listen({ transport: "unix", path: `${dir}/sockets/s` });
    await assert.rejects(uploaded(`${dir}/sockets`), /sockets\/s is no file/);
  });
});

Deno.test("an abort stops the upload with its reason and closes what was open", async () => {
  await inTempDir(async (dir) => {
    for (let i = 0; i < 100; i++) await Deno.writeTextFile(`${dir}/${i}`, "x".repeat(90_000));
    const before = openDescriptors();
    const controller = new AbortController();
    const running = uploaded(dir, {
      signal: controller.signal,
      onProgress: () => controller.abort(new Error("enough")),
    });
    await assert.rejects(running, /enough/);
    assert.equal(openDescriptors(), before);
    await assert.rejects(uploaded(dir, { signal: AbortSignal.abort(new Error("never")) }), /never/);
  });
});

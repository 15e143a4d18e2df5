import { type ClaimedStream, TreeEncoder } from "@paddock/protocol";
import assert from "node:assert/strict";
import {
  treeDirectory as directory,
  treeFile as file,
  type TreeStep as Step,
  treeSteps,
  treeUp as up,
} from "../../protocol/testing/tree_steps.ts";
import { readTree, writeTree } from "./tree.ts";

const never = new AbortController().signal;

/** What a client sends, in chunks of the given size; `then` happens before its end. */
function sent(steps: Step[], chunkBytes = 100, then?: () => void): ClaimedStream {
  const encoder = new TreeEncoder(treeSteps(steps));
  return {
    async drainInto(write) {
      const view = new Uint8Array(chunkBytes);
      for (let bytes; (bytes = await encoder.fill(view)) > 0;) write(view.subarray(0, bytes));
      then?.();
    },
    open: () => assert.fail("it is drained"),
  };
}

/** The same for what `readTree` gives. */
function piped(stream: ReadableStream<Uint8Array>): ClaimedStream {
  return {
    async drainInto(write) {
      for await (const chunk of stream) write(chunk);
    },
    open: () => stream as ReadableStream<Uint8Array<ArrayBuffer>>,
  };
}

async function inTempDir(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "paddock_tree_" });
  try {
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const namesIn = (dir: string) => [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
const modeOf = (path: string) => (Deno.statSync(path).mode! & 0o7777).toString(8);
const at = (path: string, throughLink = false) => ({ path, throughLink });

Deno.test("a tree is written with its modes, whatever the umask, and read back the same", async () => {
  await inTempDir(async (dir) => {
    const steps = [
      directory("", 0o711),
      file("a\nb", "first", 0o4666),
      file("empty", ""),
      { type: "link", name: "l", target: "/nowhere" } as Step,
      directory("closed", 0o500),
      file("large", "x".repeat(200_000), 0o600),
      up,
      up,
    ];
    assert.equal(await writeTree(at(`${dir}/new/one/`), sent(steps), never), 6);
    const copied = await writeTree(
      at(`${dir}/two`),
      piped(readTree(`${dir}/new/one`, never)),
      never,
    );
    assert.equal(copied, 6);
    for (const root of [`${dir}/new/one`, `${dir}/two`]) {
      assert.deepEqual(namesIn(root), ["a\nb", "closed", "empty", "l"]);
      assert.equal(Deno.readTextFileSync(`${root}/closed/large`).length, 200_000);
      assert.equal(Deno.readLinkSync(`${root}/l`), "/nowhere");
      const modes = ["", "/a\nb", "/closed", "/closed/large"].map((path) => modeOf(root + path));
      assert.deepEqual(modes, ["711", "4666", "500", "600"]);
    }
  });
});

Deno.test("a directory that was there keeps its mode, files and links take the place of others", async () => {
  await inTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/t`, { mode: 0o750 });
    await Deno.writeTextFile(`${dir}/t/f`, "before", { mode: 0o600 });
    await Deno.writeTextFile(`${dir}/t/kept`, "kept");
    await Deno.symlink(`${dir}/outside`, `${dir}/t/g`);
    const link: Step = { type: "link", name: "kept", target: "f" };
    const steps = [directory("", 0o777), file("f", "after"), file("g", "plain"), link, up];
    await writeTree(at(`${dir}/t`), sent(steps), never);
    assert.equal(modeOf(`${dir}/t`), "750");
    assert.equal(Deno.readTextFileSync(`${dir}/t/kept`), "after");
    assert.equal(Deno.lstatSync(`${dir}/t/g`).isFile, true);
    assert.deepEqual(namesIn(dir), ["t"]);
  });
});

Deno.test("names that are paths are refused, and links are not gone through", async () => {
  await inTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/t`);
    await Deno.mkdir(`${dir}/outside`);
    await Deno.symlink(`${dir}/outside`, `${dir}/t/d`);
    for (const name of ["..", ".", "a/b", "/etc/x", "../x", "a\0b"]) {
      for (
        const entry of [file(name), directory(name), { type: "link", name, target: "x" } as Step]
      ) {
        await assert.rejects(
          writeTree(at(`${dir}/t`), sent([directory(""), entry]), never),
          { code: "INVALID_TREE" },
        );
      }
    }
    await assert.rejects(
      writeTree(at(`${dir}/t`), sent([directory(""), directory("d"), file("f")]), never),
      Deno.errors.NotADirectory,
    );
    // The root as well, unless the client asked for it by this name.
    await assert.rejects(
      writeTree(at(`${dir}/t/d`), sent([directory(""), file("f"), up]), never),
      Deno.errors.NotADirectory,
    );
    await writeTree(at(`${dir}/t/d`, true), sent([directory(""), file("f"), up]), never);
    assert.deepEqual(namesIn(`${dir}/outside`), ["f"]);
    await Deno.symlink("outside/f", `${dir}/link`);
    await writeTree(at(`${dir}/link`, true), sent([file("", "through")]), never);
    assert.equal(Deno.readTextFileSync(`${dir}/outside/f`), "through");
    await writeTree(at(`${dir}/link`), sent([file("", "instead")]), never);
    assert.equal(Deno.lstatSync(`${dir}/link`).isFile, true);
    assert.equal(Deno.readTextFileSync(`${dir}/outside/f`), "through");
    assert.deepEqual(namesIn(`${dir}/t`), ["d"]);
  });
});

Deno.test("what is not complete is not there", async () => {
  await inTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/f`, "before");
    const lost = () => {
      throw new Error("the connection was lost");
    };
    const torn = { ...file("", "half"), size: 8 };
    const whole = new TreeEncoder({ next: () => torn, read: () => 0 });
    const view = new Uint8Array(60);
    await whole.fill(view);
    const cut: ClaimedStream = {
      drainInto(write) {
        write(view.subarray(0, 50));
        return Promise.reject(new Error("the connection was lost"));
      },
      open: () => assert.fail("it is drained"),
    };
    for (const content of [cut, sent([directory(""), file("x")], 100, lost)]) {
      await assert.rejects(writeTree(at(`${dir}/f`), content, never));
    }
    await assert.rejects(writeTree(at(`${dir}/t`), sent([directory(""), file("x")]), never), {
      code: "INVALID_TREE",
    });
    assert.deepEqual(namesIn(dir), ["f", "t"]);
    assert.equal(Deno.readTextFileSync(`${dir}/f`), "before");
  });
});

Deno.test("a file that does not tell its size is read all the same; a missing one is named", async () => {
  await inTempDir(async (dir) => {
    await writeTree(at(`${dir}/version`), piped(readTree("/proc/version", never)), never);
    assert.match(Deno.readTextFileSync(`${dir}/version`), /^Linux/);
    assert.throws(() => readTree(`${dir}/missing`, never), Deno.errors.NotFound);
    assert.throws(() => readTree("", never), Deno.errors.NotFound);
  });
});

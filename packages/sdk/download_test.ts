import { TreeEncoder } from "@paddock/protocol";
import assert from "node:assert/strict";
import {
  treeDirectory as directory,
  treeFile as file,
  type TreeStep as Step,
  treeSteps,
  treeUp as up,
} from "../protocol/testing/tree_steps.ts";
import { download, type OpenTree } from "./download.ts";
import { UnsafePathError } from "./errors.ts";
import type { SandboxFs } from "./fs_types.ts";
import { checkName, leavesRoot } from "./local_tree_sink.ts";

const noFs = {} as SandboxFs;
const link = (name: string, target: string): Step => ({ type: "link", name, target });

/** A sandbox that sends what it likes. */
function sends(steps: Step[], failsAfter = Infinity): OpenTree {
  const encoder = new TreeEncoder(treeSteps(steps));
  return () =>
    Promise.resolve(
      new ReadableStream({
        async pull(controller) {
          if (failsAfter-- === 0) throw new Error("the connection was lost");
          const view = new Uint8Array(100);
          const bytes = await encoder.fill(view);
          if (bytes > 0) return controller.enqueue(view.subarray(0, bytes));
          controller.close();
        },
      }, { highWaterMark: 0 }),
    );
}

async function inTempDir(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "paddock_download_" });
  try {
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const namesIn = (dir: string) => [...Deno.readDirSync(dir)].map((entry) => entry.name).sort();

Deno.test("a tree arrives with its modes, names and links; setuid is never kept", async () => {
  await inTempDir(async (dir) => {
    const large = "x".repeat(300_000);
    const steps = [
      directory("", 0o500),
      file("a\nb", "first", 0o4755),
      file("large", large, 0o640),
      file("empty", ""),
      directory("sub", 0o700),
      file("c", "third", 0o400),
      link("l", "../a\nb"),
      up,
      up,
    ];
    const progress: number[] = [];
    await download(noFs, sends(steps), "/d", `${dir}/out`, {
      onProgress: ({ entries }) => progress.push(entries),
    });
    assert.deepEqual(namesIn(`${dir}/out`), ["a\nb", "empty", "large", "sub"]);
    assert.equal(Deno.readTextFileSync(`${dir}/out/sub/l`), "first");
    assert.equal(Deno.readTextFileSync(`${dir}/out/large`), large);
    const modes = ["", "/a\nb", "/large", "/sub", "/sub/c"].map((path) =>
      (Deno.statSync(`${dir}/out${path}`).mode! & 0o7777).toString(8)
    );
    assert.deepEqual(modes, ["500", "755", "640", "700", "400"]);
    assert.equal(progress.at(-1), 7);
  });
});

for (const name of ["..", "../evil", "/etc/evil", "a/b", ".", "a\0b"]) {
  Deno.test(`a name ${JSON.stringify(name)} is refused`, async () => {
    assert.throws(() => checkName(name, "/d"), UnsafePathError);
    for (const entry of [file(name), directory(name), link(name, "x")]) {
      await inTempDir(async (dir) => {
        const steps = [directory(""), file("ok"), entry, ...entry.type === "directory" ? [up] : []];
        await assert.rejects(
          download(noFs, sends([...steps, up]), "/d", `${dir}/out`),
          UnsafePathError,
        );
        assert.deepEqual(namesIn(dir), ["out"]);
      });
    }
  });
}

Deno.test("nothing is written through a link that is in the way", async () => {
  await inTempDir(async (elsewhere) => {
    await inTempDir(async (dir) => {
      await Deno.mkdir(`${dir}/out/x`, { recursive: true });
      await Deno.symlink(elsewhere, `${dir}/out/x/d`);
      const asDirectory = [directory(""), directory("d"), file("file"), up, up];
      await assert.rejects(
        download(noFs, sends(asDirectory), "/x", `${dir}/out`),
        UnsafePathError,
      );
      // A file takes the link's place.
      await Deno.symlink(`${elsewhere}/file`, `${dir}/out/x/f`);
      for (const text of ["small", "large".repeat(50_000)]) {
        await download(noFs, sends([directory(""), file("f", text), up]), "/x", `${dir}/out`);
        assert.equal(Deno.lstatSync(`${dir}/out/x/f`).isFile, true);
        assert.equal(Deno.readTextFileSync(`${dir}/out/x/f`), text);
      }
      assert.deepEqual(namesIn(elsewhere), []);
    });
  });
});

Deno.test("a name that is listed as a link and then as a directory leads nowhere", async () => {
  await inTempDir(async (elsewhere) => {
    await inTempDir(async (dir) => {
      const steps = [directory(""), link("d", elsewhere), directory("d"), file("f"), up, up];
      await assert.rejects(
        download(noFs, sends(steps), "/x", `${dir}/out`, { outsideLinks: "keep" }),
        UnsafePathError,
      );
      assert.deepEqual(namesIn(elsewhere), []);
    });
  });
});

Deno.test("a directory that becomes a link while it is filled is filled nevertheless", async () => {
  await inTempDir(async (elsewhere) => {
    await inTempDir(async (dir) => {
      let swapped = false;
      const steps = [directory(""), file("one"), ...Array(40).fill(0).map((_, i) => file(`${i}`))];
      await download(noFs, sends([...steps, up]), "/x", `${dir}/out`, {
        onProgress() {
          if (swapped) return;
          swapped = true;
          Deno.renameSync(`${dir}/out`, `${dir}/moved`);
          Deno.symlinkSync(elsewhere, `${dir}/out`);
        },
      });
      assert.deepEqual(namesIn(elsewhere), []);
      assert.equal(namesIn(`${dir}/moved`).length, 41);
    });
  });
});

Deno.test("links that point outside are refused, skipped or kept", async () => {
  await inTempDir(async (dir) => {
    const steps = [directory(""), file("f"), link("l", "/etc"), up];
    await assert.rejects(download(noFs, sends(steps), "/d", `${dir}/a`), /points|outside/);
    const alone = sends([link("", "mine")]);
    await assert.rejects(download(noFs, alone, "/d/f", `${dir}/lone`), UnsafePathError);
    assert.deepEqual(namesIn(dir), ["a"]);
    await download(noFs, sends(steps), "/d", `${dir}/b`, { outsideLinks: "skip" });
    assert.deepEqual(namesIn(`${dir}/b`), ["f"]);
    await download(noFs, sends(steps), "/d", `${dir}/c`, { outsideLinks: "keep" });
    assert.equal(Deno.readLinkSync(`${dir}/c/l`), "/etc");
  });
});

Deno.test("what is neither file, directory nor link is refused by name", async () => {
  await inTempDir(async (dir) => {
    const steps: Step[] = [directory(""), { type: "other", name: "socket" }, up];
    await assert.rejects(download(noFs, sends(steps), "/d", `${dir}/a`), /\/d\/socket/);
  });
});

Deno.test("a download that fails or is aborted leaves no part of a file", async () => {
  for (const size of [1_000, 300_000]) {
    for (const replaces of [false, true]) {
      await inTempDir(async (dir) => {
        const whole = file("", "x".repeat(size));
        if (replaces) await Deno.writeTextFile(`${dir}/f`, "before");
        await assert.rejects(download(noFs, sends([whole], 8), "/f", `${dir}/f`), /lost/);
        const controller = new AbortController();
        await assert.rejects(
          download(noFs, sends([whole]), "/f", `${dir}/f`, {
            signal: controller.signal,
            onProgress: () => controller.abort(new Error("enough")),
          }),
          /enough/,
        );
        assert.deepEqual(namesIn(dir), replaces ? ["f"] : []);
        if (replaces) assert.equal(Deno.readTextFileSync(`${dir}/f`), "before");
      });
    }
  }
});

Deno.test("a lone file goes where its path leads, through the caller's own links", async () => {
  await inTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/real`, "before");
    await Deno.symlink("real", `${dir}/link`);
    await download(noFs, sends([file("", "after")]), "/f", `${dir}/link`);
    assert.equal(Deno.readTextFileSync(`${dir}/real`), "after");
    assert.equal(Deno.readLinkSync(`${dir}/link`), "real");
    // A link that is found in a directory is not the caller's.
    await download(noFs, sends([file("", "third")]), "/somewhere/link", dir);
    assert.equal(Deno.readTextFileSync(`${dir}/real`), "after");
    assert.equal(Deno.lstatSync(`${dir}/link`).isFile, true);
    await download(noFs, sends([file("", "after")]), "/f", "/dev/null");
    assert.equal(Deno.statSync("/dev/null").isCharDevice, true);
    await assert.rejects(download(noFs, sends([file("")]), "/f", `${dir}/no/such`), {
      code: "ENOENT",
    });
  });
});

Deno.test("where a link points is judged as the system would resolve it", () => {
  assert.equal(leavesRoot("sibling", "link"), false);
  assert.equal(leavesRoot("../sibling", "a/link"), false);
  assert.equal(leavesRoot("a/b", "link"), false);
  assert.equal(leavesRoot("..", "link"), true);
  assert.equal(leavesRoot("../../x", "a/link"), true);
  assert.equal(leavesRoot("/etc", "link"), true);
  assert.equal(leavesRoot("other/../..", "a/b/link"), true, "`other` may be a link itself");
});

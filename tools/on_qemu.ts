/**
 * What every run sees of whole servers whose sandboxes are virtual machines. Without KVM these are emulated,
 * some twenty times slower than the host, so it is what fits in ten minutes: our client on every runtime,
 * what one machine does for a published client, preview URLs, siblings of one template. `deno task test:qemu`
 * runs all of them.
 */
export const onQemu: { file: string; env: Record<string, string> }[] = [
  { file: "tests/e2e/main_path_test.ts" },
  { file: "tests/e2e/siblings_test.ts" },
  { file: "tests/e2e/preview_test.ts" },
  {
    file: "tests/compat/methods_test.ts",
    more: {
      PADDOCK_TEST_CLIENTS: "0.13.2 on deno",
      // What happens in one machine, without the dozens of REPLs: each takes seconds to start there.
      TEST_CLIENT_PARTS: "files,fileHandles,processes",
    },
  },
].map(({ file, more }) => ({ file, env: { PADDOCK_DRIVER: "qemu", ...more } }));

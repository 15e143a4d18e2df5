const drivers = ["driver_gvisor", "driver_qemu", "driver_firecracker"];

/**
 * What each package may import besides itself. Dependencies point downwards only: a row lists
 * packages below it, never above.
 */
const below: Record<string, readonly string[]> = {
  protocol: [],
  agent: ["protocol"],
  sdk: ["protocol"],
  driver: ["protocol"],
  driver_gvisor: ["driver", "protocol"],
  driver_qemu: ["driver", "protocol"],
  driver_firecracker: ["driver", "protocol"],
  engine: ["driver_gvisor", "driver", "protocol"],
  gateway: ["engine", "driver", "protocol"],
  server: ["gateway", "engine", ...drivers, "driver", "protocol"],
  cli: ["server", "gateway", "engine", ...drivers, "driver", "sdk", "protocol", "images"],
};

/** What tests of every package may use. */
const testSupport = ["tests", "images"];

/** The names under which packages are imported. */
const folders: Record<string, string> = {
  "@paddock/protocol": "protocol",
  "@paddock/agent": "agent",
  "@paddock/driver": "driver",
  "@paddock/driver-gvisor": "driver_gvisor",
  "@paddock/driver-qemu": "driver_qemu",
  "@paddock/driver-firecracker": "driver_firecracker",
  "@paddock/engine": "engine",
  "@paddock/gateway": "gateway",
  "@paddock/server": "server",
  "@paddock/sandbox": "sdk",
  "@paddock/cli": "cli",
};

/** `packages/x/…` → `x`; `images/…`, `tests/…` and the like → their first folder. */
export function areaOf(path: string): string {
  const [first, second] = path.split("/");
  return first === "packages" && second !== undefined ? second : first;
}

/** The area that an import specifier in `file` (a path in the repository) leads to, if it is ours. */
export function areaOfImport(file: string, specifier: string): string | undefined {
  if (specifier.startsWith(".")) {
    const resolved = new URL(specifier, `file:///${file}`).pathname.slice(1);
    return resolved.startsWith("node_modules/") ? undefined : areaOf(resolved);
  }
  const name = specifier.split("/").slice(0, 2).join("/");
  return folders[name];
}

/** Why `file` may not import `specifier`, or undefined. */
export function packageOrderProblem(file: string, specifier: string): string | undefined {
  if (!file.startsWith("packages/")) return undefined;
  const from = areaOf(file);
  const to = areaOfImport(file, specifier);
  if (to === undefined || to === from) return undefined;
  const allowed = below[from];
  if (allowed === undefined) return `packages/${from} has no place in tools/lint/package_order.ts`;
  if (allowed.includes(to)) return undefined;
  if (testSupport.includes(to) && file.endsWith("_test.ts")) return undefined;
  return `${from} may not import ${to}: it may import ${allowed.join(", ") || "nothing of ours"}`;
}

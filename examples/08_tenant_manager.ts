// Shows: a service keeps sandboxes per tenant: create, list by label, end a tenant's.
import { Client, Sandbox } from "@paddock/sandbox";

class TenantManager {
  #client = new Client();

  async create(tenant: string, job: string): Promise<string> {
    // With a duration the sandbox outlives this connection; others connect to it by its id.
    const sandbox = await Sandbox.create({ timeout: "5m", labels: { tenant, job } });
    await sandbox.close();
    return sandbox.id;
  }

  async list(tenant: string): Promise<string[]> {
    const found = await this.#client.sandboxes.list({ labels: { tenant } });
    return found.map((sandbox) => sandbox.id);
  }

  async run(id: string, command: string): Promise<string> {
    const sandbox = await Sandbox.connect(id);
    try {
      return (await sandbox.sh(command).text()).trim();
    } finally {
      await sandbox.close();
    }
  }

  async endAll(tenant: string): Promise<number> {
    const ids = await this.list(tenant);
    await Promise.all(ids.map(async (id) => await (await Sandbox.connect(id)).kill()));
    return ids.length;
  }
}

const manager = new TenantManager();
try {
  const first = await manager.create("acme", "import");
  await manager.create("acme", "report");
  await manager.create("globex", "import");
  console.log("acme has", (await manager.list("acme")).length, "sandboxes");
  console.log("globex has", (await manager.list("globex")).length, "sandbox");

  await manager.run(first, "echo 'row 1' > import.log");
  console.log("still there after reconnecting:", await manager.run(first, "cat import.log"));

  console.log("ended for acme:", await manager.endAll("acme"));
  console.log("acme has", (await manager.list("acme")).length, "sandboxes");
  console.log("globex has", (await manager.list("globex")).length, "sandbox");
} finally {
  for (const tenant of ["acme", "globex"]) await manager.endAll(tenant);
}

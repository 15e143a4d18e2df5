import type { StoredVolume } from "@paddock/engine";
import {
  BUILTIN_BASE,
  createVolumeInitSchema,
  deletedSchema,
  PaddockError,
  parseRequest,
  resolveRegion,
  snapshotInitSchema,
  snapshotListSchema,
  snapshotSchema,
  volumeInitSchema,
  type VolumeKind,
  volumeListSchema,
  volumeSchema,
} from "@paddock/protocol";
import { snapshotInfo, volumeInfo } from "../../sandbox/volume_info.ts";
import { listPage, pageQuery } from "../list_page.ts";
import type { Call, Operation } from "../operation.ts";

/** One of another organisation looks like one that does not exist. */
function find({ services, identity, params }: Call, kind: VolumeKind): StoredVolume {
  const record = services.store.volumes.find(identity.organizationId, params.id, kind);
  if (record) return record;
  throw new PaddockError("VOLUME_NOT_FOUND", {
    message: `There is no ${kind} with this id or slug.`,
  });
}

function info({ services }: Call, record: StoredVolume) {
  return record.kind === "volume" ? volumeInfo(services, record) : snapshotInfo(services, record);
}

async function list(call: Call, kind: VolumeKind, path: string) {
  const { services, identity, query } = call;
  const search = query.get("search") ?? undefined;
  if (search !== undefined && search.length > 64) {
    throw new PaddockError("INVALID_REQUEST", {
      field: "search",
      message: "search: at most 64 characters are looked for",
    });
  }
  const { page, headers } = await listPage(
    call,
    path,
    ({ limit, after }) =>
      services.store.volumes.list({
        organizationId: identity.organizationId,
        ...{ kind, search, limit, after },
      }),
  );
  // One that is deleted while the page is made is left out.
  const items = await Promise.all(
    page.map((record) =>
      info(call, record).catch((error) => {
        if (services.store.volumes.get(record.id)?.state !== "ready") return undefined;
        throw error;
      })
    ),
  );
  return { status: 200, body: items.filter((item) => item !== undefined), headers };
}

async function remove(call: Call, kind: VolumeKind) {
  const record = find(call, kind);
  await call.services.engine.volumes.remove(record.id);
  call.log.info("deleted", { [kind]: record.id });
  return { status: 200, body: { id: record.id, slug: record.slug } };
}

const searchQuery = {
  search: {
    description: "Only those with this in their slug, or this id.",
    schema: pageQuery.text,
  },
  ...pageQuery.parameters,
};

const createVolume: Operation = {
  method: "post",
  path: "/api/v2/volumes",
  summary: "Create a volume: empty, from a snapshot, or bootable from the guest image",
  body: volumeInitSchema,
  answer: { status: 201, description: "It can be mounted", schema: volumeSchema },
  async handle(call) {
    const { services, identity, hostRegion, signal } = call;
    const { config: { limits, regions }, store, volumeGate } = services;
    const { slug, region, capacity, from } = parseRequest(
      createVolumeInitSchema(limits),
      await call.json() ?? {},
    );
    const { organizationId } = identity;
    const snapshot = from === undefined || from === BUILTIN_BASE
      ? undefined
      : store.volumes.find(organizationId, from, "snapshot");
    if (from !== undefined && from !== BUILTIN_BASE && !snapshot) {
      throw new PaddockError("VOLUME_NOT_FOUND", {
        field: "from",
        message:
          `from: there is no snapshot "${from}", and ${BUILTIN_BASE} is all that is built in`,
      });
    }
    using _key = await volumeGate.enter(signal);
    const { code } = resolveRegion(region ?? hostRegion ?? snapshot?.region, regions);
    const record = await services.engine.volumes.create({
      ...{ organizationId, slug, region: code, capacityBytes: capacity },
      ...(snapshot && { from: { snapshotId: snapshot.id } }),
      ...(from === BUILTIN_BASE && { from: "builtin" }),
    }, signal);
    call.log.info("created a volume", { volume: record.id });
    return { status: 201, body: await info(call, record) };
  },
};

const listVolumes: Operation = {
  method: "get",
  path: "/api/v2/volumes",
  summary: "List the organisation's volumes, newest first",
  query: searchQuery,
  answer: { status: 200, description: "The volumes", schema: volumeListSchema },
  handle: (call) => list(call, "volume", "/api/v2/volumes"),
};

const getVolume: Operation = {
  method: "get",
  path: "/api/v2/volumes/{id}",
  summary: "One volume, by id or slug",
  answer: { status: 200, description: "The volume", schema: volumeSchema },
  handle: async (call) => ({ status: 200, body: await info(call, find(call, "volume")) }),
};

const deleteVolume: Operation = {
  method: "delete",
  path: "/api/v2/volumes/{id}",
  summary: "Delete a volume that no sandbox has",
  answer: { status: 200, description: "It is gone", schema: deletedSchema },
  handle: (call) => remove(call, "volume"),
};

const createSnapshot: Operation = {
  method: "post",
  path: "/api/v2/volumes/{id}/snapshot",
  summary: "Make a snapshot of a volume that no sandbox has",
  body: snapshotInitSchema,
  answer: { status: 201, description: "The snapshot", schema: snapshotSchema },
  async handle(call) {
    const { services, signal } = call;
    const volume = find(call, "volume");
    const { slug } = parseRequest(snapshotInitSchema, await call.json() ?? {});
    using _key = await services.volumeGate.enter(signal);
    const record = await services.engine.volumes.snapshot(volume.id, { slug }, signal);
    call.log.info("created a snapshot", { volume: volume.id, snapshot: record.id });
    return { status: 201, body: await info(call, record) };
  },
};

const listSnapshots: Operation = {
  ...listVolumes,
  path: "/api/v2/snapshots",
  summary: "List the organisation's snapshots, newest first",
  answer: { status: 200, description: "The snapshots", schema: snapshotListSchema },
  handle: (call) => list(call, "snapshot", "/api/v2/snapshots"),
};

const getSnapshot: Operation = {
  ...getVolume,
  path: "/api/v2/snapshots/{id}",
  summary: "One snapshot, by id or slug",
  answer: { status: 200, description: "The snapshot", schema: snapshotSchema },
  handle: async (call) => ({ status: 200, body: await info(call, find(call, "snapshot")) }),
};

const deleteSnapshot: Operation = {
  ...deleteVolume,
  path: "/api/v2/snapshots/{id}",
  summary: "Delete a snapshot that no sandbox has as its root",
  handle: (call) => remove(call, "snapshot"),
};

export const volumes: readonly Operation[] = [
  createVolume,
  listVolumes,
  getVolume,
  deleteVolume,
  createSnapshot,
  listSnapshots,
  getSnapshot,
  deleteSnapshot,
];

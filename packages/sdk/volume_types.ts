/** Bytes as a number, or a number with a unit: `"10GB"` is decimal, `"10GiB"` binary. */
export type Capacity =
  | number
  | `${number}GB`
  | `${number}MB`
  | `${number}kB`
  | `${number}GiB`
  | `${number}MiB`
  | `${number}KiB`;

/** What a volume is created with. */
export interface VolumeInit {
  /**
   * Its name, unique among the organisation's volumes and snapshots: 2 to 32 of `a-z`, `0-9` and `-`,
   * no hyphen at either end, and no two of them at the third and fourth place.
   */
  slug: string;
  /** Region code or alias. Default: its snapshot's, else the server's first. */
  region?: string;
  /** How much it holds at most. It takes up what is written to it. */
  capacity: Capacity;
  /** A snapshot to start from, or `"builtin:debian-13"` for a volume to boot from. Default: empty. */
  from?: string;
}

/** What a snapshot is created with. */
export interface SnapshotInit {
  /** As a volume's. */
  slug: string;
}

export interface ListOptions {
  /** Only those with this text in their slug, or this id. */
  search?: string;
  /** How many on a page. Default: the server's, 1000. */
  limit?: number;
  /** `nextCursor` of another page. */
  cursor?: string;
}

export type VolumeListOptions = ListOptions;
export type SnapshotListOptions = ListOptions;

import { z } from "zod";

// What Firecracker answers. Unknown fields are dropped: newer versions add some.

export const instanceSchema = z.object({
  id: z.string().max(64),
  state: z.enum(["Not started", "Running", "Paused"]),
  vmm_version: z.string().max(64),
});

export const balloonSchema = z.object({ amount_mib: z.int().min(0) });

export const balloonStatisticsSchema = z.object({
  target_mib: z.int().min(0),
  actual_mib: z.int().min(0),
});

export const faultSchema = z.object({ fault_message: z.string() });

/** Tokens are bytes or operations; the bucket is full again after `refill_time` milliseconds. */
export interface TokenBucket {
  size: number;
  refill_time: number;
}

export interface RateLimiter {
  bandwidth?: TokenBucket;
  ops?: TokenBucket;
}

export interface Drive {
  drive_id: string;
  path_on_host: string;
  is_root_device: boolean;
  is_read_only: boolean;
  /** Left out: Firecracker takes the guest's wish to have something on the disk for granted. */
  cache_type?: "Writeback";
  rate_limiter?: RateLimiter;
}

export interface NetworkInterface {
  iface_id: string;
  host_dev_name: string;
  guest_mac: string;
  rx_rate_limiter?: RateLimiter;
  tx_rate_limiter?: RateLimiter;
}

export interface SnapshotLoad {
  snapshot_path: string;
  mem_backend: { backend_type: "File"; backend_path: string };
  track_dirty_pages: boolean;
  resume_vm: boolean;
  network_overrides: { iface_id: string; host_dev_name: string }[];
}

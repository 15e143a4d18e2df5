export { type Config, type ConfigSources, loadConfig } from "./config.ts";
export { createServer, type PaddockServer, type ServerOptions } from "./http/create_server.ts";
export { createLog, type Log, type LogFields, type LogLevel, type LogOptions } from "./log.ts";
export type { ReadyInfo } from "./ready_file.ts";
export { type GuestImage, type PaddockNode, startNode, type StartOptions } from "./start_node.ts";
export type { Organizations } from "./store/organizations.ts";
export type { ListQuery, Sandboxes, StatusFilter } from "./store/sandboxes.ts";
export { openStore, type Store } from "./store/store.ts";
export type { Identity, TokenInfo, Tokens } from "./store/tokens.ts";

export { type AgentBundle, bundleAgent } from "./bundle.ts";

export { decodeBase64, encodeBase64 } from "./base64.ts";
export { parseCapacity } from "./capacity.ts";
export { type Codec, type Notification, notificationMethods } from "./codec.ts";
export { devalueCodec } from "./devalue_codec.ts";
export { DENO_ERROR_NAMES, errorClass } from "./error_classes.ts";
export {
  type Blame,
  type ErrorCode,
  type ErrorEntry,
  errorRegistry,
  isErrorCode,
} from "./error_registry.ts";
export {
  decodeCredit,
  decodeFrame,
  encodeCredit,
  encodeFrame,
  type Frame,
  FRAME_HEADER_BYTES,
  FrameType,
  STREAM_WINDOW_BYTES,
} from "./frame.ts";
export { jsonCodec, richCodec } from "./json_codec.ts";
export {
  closeCodes,
  errorResponse,
  idOfRefused,
  isFailure,
  isNotification,
  isRequest,
  isSuccess,
  type JsonRpcErrorDetail,
  type JsonRpcFailure,
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcSuccess,
  type RpcId,
  SUBPROTOCOL,
  toMessage,
} from "./json_rpc.ts";
export { toJsonValue } from "./json_value.ts";
export { defaultLimits, type Limit, type LimitName, limits, type LimitValues } from "./limits.ts";
export {
  isMethodName,
  type MethodInput,
  type MethodName,
  methodNames,
  type MethodOutput,
  methods,
} from "./methods.ts";
export { type GuestIdentity, guestIdentitySchema } from "./guest_identity.ts";
export { chosenNameProblem, newExposureName } from "./exposure_name.ts";
export { PaddockError, type PaddockErrorOptions } from "./paddock_error.ts";
export { defaultRegions, type Region, resolveRegion } from "./region.ts";
export {
  type ApiError,
  apiErrorSchema,
  type CreatedSandbox,
  createdSandboxSchema,
  extendAnswerSchema,
  extendRequestSchema,
  type Health,
  healthSchema,
  parseExtendRequest,
  sandboxIdSchema,
  sandboxListSchema,
  type SandboxMetadata,
  sandboxMetadataSchema,
  sandboxStatusSchema,
  type Version,
  versionSchema,
} from "./rest.ts";
export {
  type ExposeAnswer,
  exposeAnswerSchema,
  type ExposeRequest,
  exposeRequestSchema,
  type ExposeSshAnswer,
  exposeSshAnswerSchema,
  exposeSshRequestSchema,
  exposeV2RequestSchema,
  type ExposureAccess,
  type ExposureInfo,
  exposureListSchema,
  exposureSchema,
  type LinkAnswer,
  linkAnswerSchema,
  linkRequestSchema,
  parseRequest,
} from "./rest_exposures.ts";
export {
  type CheckpointInfo,
  checkpointInitSchema,
  checkpointListSchema,
  checkpointReferenceSchema,
  checkpointSchema,
} from "./rest_checkpoints.ts";
export {
  type TemplateInfo,
  templateInitSchema,
  templateListSchema,
  templateSchema,
  templateStateSchema,
} from "./rest_templates.ts";
export {
  type CheckedTemplateDefinition,
  parseTemplateDefinition,
  type TemplateDefinition,
  templateDefinitionSchema,
} from "./template_definition.ts";
export {
  type CheckedForkRequest,
  type ForkAnswer,
  forkAnswerSchema,
  forkRequestSchema,
  parseForkRequest,
} from "./rest_forks.ts";
export {
  BUILTIN_BASE,
  createVolumeInitSchema,
  deletedSchema,
  type SnapshotInfo,
  snapshotInitSchema,
  snapshotListSchema,
  snapshotSchema,
  type VolumeInfo,
  volumeInitSchema,
  volumeListSchema,
  volumeSchema,
} from "./rest_volumes.ts";
export { deserializeValue, SerializedValue, serializeValue } from "./rich_value.ts";
export {
  createDenodeployConfigV2Schema,
  createSandboxConfigSchema,
  type DenodeployConfigV2,
  denodeployConfigV2Schema,
  parseConfig,
  parseDenodeployConfigV2,
  parseSandboxConfig,
  type SandboxConfig,
  sandboxConfigSchema,
} from "./sandbox_config.ts";
export { isSandboxId, newSandboxId, regionOfSandboxId, SANDBOX_ID_PATTERN } from "./sandbox_id.ts";
export {
  type ClaimedStream,
  type PreparedStream,
  StreamHub,
  type StreamHubOptions,
  type StreamLimits,
} from "./stream_hub.ts";
export { parseTimeout, type Timeout } from "./timeout.ts";
export {
  isPlainName,
  TreeDecoder,
  TreeEncoder,
  type TreeEntry,
  type TreeHandler,
  type TreeSource,
} from "./tree_stream.ts";
export { newVolumeId, type VolumeKind } from "./volume_id.ts";
export { overlappingPaths, volumePathProblem } from "./volume_path.ts";
export { volumeSlugProblem } from "./volume_slug.ts";
export { asError, fromWireError, isError, toWireError, type WireError } from "./wire_error.ts";

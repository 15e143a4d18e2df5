import type { Log } from "@paddock/driver";
import type { Engine, RunningSandbox } from "@paddock/engine";
import { type LimitValues, PaddockError } from "@paddock/protocol";
import type { ExposureDirectory } from "../exposures.ts";
import { admit } from "./access.ts";
import { answerError, newTraceId } from "./error_answer.ts";
import { ended, findExposure, findSandbox, unknownName } from "./find_sandbox.ts";
import { field } from "./header_fields.ts";
import { Relay } from "./relay.ts";
import { SandboxTraffic } from "./sandbox_traffic.ts";
import { type SecureContextFor, TlsFront } from "./tls_front.ts";
import type { Visit } from "./visit.ts";

/** How often deadlines are looked at. */
const TICK_MS = 250;
/** How long answers under way may take once the ingress closes. */
const CLOSE_WITHIN_MS = 5_000;
/** How long visitors wait for a sandbox to be resumed. */
const WAKE_MS = 60_000;

export interface IngressOptions {
  engine: Engine;
  exposures: ExposureDirectory;
  /** The certificate for all names, or for visitors that give none; asked again now and then. */
  defaultPair: () => { cert: string; key: string };
  /** The certificate for a name, where names have different ones: it costs memory per connection. */
  secureContextFor?: SecureContextFor;
  limits: LimitValues;
  log: Log;
  /** Preview URLs are one label below it; a port in it is ignored. */
  baseDomain: string;
  /** Signs links and cookies; at least 32 random bytes, the same after a restart. */
  linkKey: Uint8Array;
}

/** What visitors of preview URLs connect to. */
export interface Ingress extends AsyncDisposable {
  /** May be called again for another address. Throws ADDRESS_IN_USE when the port is taken. */
  listen(at: { host: string; port: number }): Promise<{ port: number }>;
  /** Rejects when a listener fails while serving; pending otherwise. */
  readonly failed: Promise<never>;
  /** Takes nothing new and ends what is open, within seconds. Idempotent. */
  close(): Promise<void>;
}

export function createIngress(options: IngressOptions): Ingress {
  const { engine, exposures, limits, log, baseDomain, linkKey } = options;
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const traffics = new Map<RunningSandbox, SandboxTraffic>();
  const relays = new Set<Relay>();
  let closed: Promise<void> | undefined;
  const closing = new AbortController();

  const front = new TlsFront({
    ...{ limits, log },
    secureContextFor: options.secureContextFor,
    defaultPair: options.defaultPair,
    onVisit: (visit) => {
      try {
        receive(visit);
      } catch (error) {
        refuse(visit, error);
      }
    },
    onBroken: refuse,
    onFailed: (error) => failed.reject(error),
  });

  function receive(visit: Visit): void {
    if (closed) throw new PaddockError("SHUTTING_DOWN");
    const { exposure, domain } = findExposure(visit.request, exposures, baseDomain);
    const { request, redirect } = admit(visit.request, exposure, linkKey, Date.now());
    if (redirect) return answerRedirect(visit, redirect);
    const sandbox = findSandbox(engine, exposure);
    if (!sandbox.awake) return void receiveAwake(visit, sandbox);
    const visiting = sandbox.holdVisit();
    const relay = new Relay({
      ...{ visit, request, traffic: trafficOf(sandbox), domain, limits, refuse },
      since: exposure.createdAt,
      startsUntil: exposure.createdAt + limits.gatewayStartMs,
      onDone: (relay) => {
        relays.delete(relay);
        visiting.release();
      },
    });
    relays.add(relay);
    relay.start();
  }

  /** A visit resumes a sandbox, also when the visitor does not wait for it. */
  async function receiveAwake(visit: Visit, sandbox: RunningSandbox): Promise<void> {
    let gone = false;
    visit.onGone = () => void (gone = true);
    try {
      await sandbox.resume(AbortSignal.any([closing.signal, AbortSignal.timeout(WAKE_MS)]));
      if (!gone) receive(visit);
    } catch (error) {
      if (!gone) refuse(visit, error);
    }
  }

  function trafficOf(sandbox: RunningSandbox): SandboxTraffic {
    let traffic = traffics.get(sandbox);
    if (!traffic) {
      traffics.set(sandbox, traffic = new SandboxTraffic(sandbox, limits));
      const standstills = sandbox.onStandstill(() =>
        endTraffic(sandbox, new PaddockError("SANDBOX_PAUSED"))
      );
      sandbox.ended.then(() => endTraffic(sandbox));
      traffic.signal.addEventListener("abort", () => standstills[Symbol.dispose](), { once: true });
    }
    return traffic;
  }

  function endTraffic(sandbox: RunningSandbox, why = ended()): void {
    traffics.get(sandbox)?.end(why);
    traffics.delete(sandbox);
  }

  function refuse(visit: Visit, reason: unknown): void {
    const traceId = newTraceId();
    let error = PaddockError.from(reason);
    // An agent that knows no such domain says it in its own words.
    if (error.code === "EXPOSURE_NOT_FOUND") error = unknownName();
    const { code, message, cause } = error;
    if (error.blame === "us") log.error("visit failed", { traceId, code, message, cause });
    else log.debug("visit refused", { traceId, code, message, cause });
    try {
      answerError(visit, error, traceId);
    } catch (problem) {
      log.error("visit could not be answered", { traceId, problem });
      visit.abort();
    }
  }

  const ticking = setInterval(() => {
    const now = performance.now();
    front.tick(now);
    for (const relay of relays) relay.tick(now);
    for (const [sandbox, traffic] of traffics) {
      if (sandbox.state === "running") traffic.tick(now);
      else endTraffic(sandbox);
    }
  }, TICK_MS);
  Deno.unrefTimer(ticking);

  async function close(): Promise<void> {
    closing.abort(new PaddockError("SHUTTING_DOWN"));
    const stopped = front.stop();
    const timer = setTimeout(() => void front.destroy(), CLOSE_WITHIN_MS);
    for (const traffic of traffics.values()) traffic.end(new PaddockError("SHUTTING_DOWN"));
    traffics.clear();
    await stopped;
    clearTimeout(timer);
    clearInterval(ticking);
    await front.destroy();
  }

  const ingress: Ingress = {
    failed: failed.promise,
    close: () => closed ??= close(),
    [Symbol.asyncDispose]: () => ingress.close(),
    listen: async ({ host, port }) => ({ port: await front.listen(host, port) }),
  };
  return ingress;
}

function answerRedirect(
  visit: Visit,
  { location, setCookie }: { location: string; setCookie: string },
): void {
  visit.begin({
    ...{ status: 303, reason: "See Other", body: { length: 0 } },
    headers: [
      field("Location", location),
      field("Set-Cookie", setCookie),
      field("Cache-Control", "no-store"),
      field("Referrer-Policy", "no-referrer"),
    ],
  });
  visit.end([]);
}

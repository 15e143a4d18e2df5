import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { connect } from "node:tls";
import { type Browser, launch, type Page } from "puppeteer-core";
import { type TestServer, until } from "../harness.ts";
import { startBrowserNetwork } from "./browser_network.ts";

/** Where a failing test leaves what the page looked like; `PADDOCK_SCREENSHOTS` keeps all of them. */
const screenshots = Deno.env.get("PADDOCK_SCREENSHOTS") ?? "/tmp/paddock-screenshots";

export interface TestBrowser extends AsyncDisposable {
  browser: Browser;
  /** A page that notes what its console says, what it could not load, and which WebSockets it lost. */
  open(url: string): Promise<TestPage>;
}

export interface TestPage {
  page: Page;
  /** For the message of a failing assertion. */
  errors: string[];
  closedWebSockets: string[];
  screenshot(name: string): Promise<string>;
}

/** A real Chromium that trusts the server's own authority, as a visitor does who was told to. */
export async function startBrowser(
  server: Pick<TestServer, "ingress" | "ca">,
): Promise<TestBrowser> {
  const key = await ingressKey(server);
  await using stack = new AsyncDisposableStack();
  const network = stack.use(await startBrowserNetwork(Number(new URL(server.ingress!).port)));
  const browser = await launch({
    executablePath: await network.wrap(await findChromium()),
    headless: true,
    // Its own port would be in a network where nobody finds it.
    pipe: true,
    args: [
      // Tests run as root, where Chromium's own sandbox refuses to start.
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      `--ignore-certificate-errors-spki-list=${createHash("sha256").update(key).digest("base64")}`,
    ],
    protocolTimeout: 180_000,
  });
  stack.defer(() => browser.close());
  const held = stack.move();
  return {
    browser,
    open: (url) => openPage(browser, url),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

async function openPage(browser: Browser, url: string): Promise<TestPage> {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 800 });
  const errors: string[] = [];
  const closedWebSockets: string[] = [];
  page.on("pageerror", (error) => errors.push(`page: ${error}`));
  page.on("requestfailed", (request) => {
    errors.push(`${request.url().slice(0, 120)}: ${request.failure()?.errorText}`);
  });
  const devtools = await page.createCDPSession();
  const sockets = new Map<string, string>();
  await devtools.send("Network.enable");
  devtools.on("Network.webSocketCreated", ({ requestId, url }) => sockets.set(requestId, url));
  devtools.on("Network.webSocketClosed", ({ requestId }) => {
    closedWebSockets.push(sockets.get(requestId) ?? requestId);
  });
  await page.goto(url, { waitUntil: "domcontentloaded", timeout: 60_000 });
  return {
    page,
    errors,
    closedWebSockets,
    async screenshot(name) {
      await mkdir(screenshots, { recursive: true });
      const path = `${screenshots}/${name}.png` as const;
      await page.screenshot({ path });
      return path;
    },
  };
}

/** Runs the body; when it fails, its error says where a picture of the page is and what went wrong. */
export async function withPicture<T>(
  view: TestPage,
  name: string,
  body: () => Promise<T>,
): Promise<T> {
  try {
    const result = await body();
    if (Deno.env.has("PADDOCK_SCREENSHOTS")) await view.screenshot(name);
    return result;
  } catch (error) {
    const path = await view.screenshot(`failed-${name}`).catch(() => "(none)");
    const seen = view.errors.slice(-8).map((line) => `\n  ${line}`).join("");
    throw new Error(`${(error as Error).message}\npicture: ${path}${seen}`, { cause: error });
  }
}

/** Waits until the page's text, or that of the elements chosen, has it. */
export async function seen(view: TestPage, what: RegExp, selector = "body", deadlineMs = 60_000) {
  await until(`${what} in ${selector}`, deadlineMs, () =>
    view.page.$$eval(
      selector,
      (elements, source, flags) =>
        elements.some((element) =>
          new RegExp(source, flags).test(
            (element as unknown as { innerText?: string }).innerText ?? "",
          )
        ),
      what.source,
      what.flags,
    ).catch(() => false));
}

/**
 * The public key of the certificate that the ingress shows, which must be of its authority. Chromium has
 * no flag to trust an authority, but one to trust a key.
 */
async function ingressKey(
  { ingress, ca }: Pick<TestServer, "ingress" | "ca">,
): Promise<Uint8Array> {
  const { hostname, port } = new URL(ingress!);
  const socket = connect({
    host: "127.0.0.1",
    port: Number(port),
    servername: `any.${hostname}`,
    ca: await readFile(ca!),
  });
  await once(socket, "secureConnect", { signal: AbortSignal.timeout(10_000) });
  const key = socket.getPeerX509Certificate()!.publicKey.export({ type: "spki", format: "der" });
  socket.destroy();
  return key;
}

async function findChromium(): Promise<string> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
      const path = `${folder}/${name}`;
      if (await Deno.stat(path).then((info) => info.isFile, () => false)) return path;
    }
  }
  throw new Error("no Chromium in PATH: `node tools/setup/setup.mjs --tests` installs it");
}

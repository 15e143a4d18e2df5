import { Client } from "@paddock/sandbox";
import { startBrowser } from "../../tests/browser/browser.ts";
import { EditorPage } from "../../tests/browser/editor_page.ts";
import { figure, percentile } from "../figure.ts";
import type { Scenario } from "../scenario.ts";

/**
 * From the call that asks for VS Code to an editor in Chromium that shows the folder's files, in a new
 * sandbox each time: nothing of it is in a cache of the browser, whose own start is not counted.
 */
const vscode: Scenario = async ({ api, token, ca, quick, say }) => {
  const rounds = quick ? 2 : 7;
  const client = new Client({ endpoint: api, token });
  const calls: number[] = [];
  const totals: number[] = [];
  for (let i = 0; i <= rounds; i++) {
    await using sandbox = await client.sandboxes.create({ memoryMb: 1024 });
    await sandbox.fs.writeTextFile("/home/app/main.ts", "export {};\n");
    const ingress = await sandbox.exposeHttp({ port: 1 });
    await using browser = await startBrowser({ ingress: parentDomain(ingress), ca });
    const start = performance.now();
    const editor = await sandbox.exposeVscode();
    const call = performance.now() - start;
    const view = await browser.open(editor.url);
    await new EditorPage(view).usable("main.ts");
    const total = performance.now() - start;
    // The first one also fills the host's file cache.
    if (i === 0) continue;
    calls.push(call);
    totals.push(total);
    say(`${i}/${rounds}: usable ${total.toFixed(0)} ms after the call, which took ${call | 0} ms`);
  }
  const name = (metric: string) => ({ scenario: "vscode", metric, unit: "ms" });
  return [
    figure(name("call_to_usable_page_p50"), {
      value: percentile(totals, 50),
      target: { on: "value", at: "most", than: 4000 },
    }),
    figure(name("call_to_url_p50"), { value: percentile(calls, 50) }),
  ];
};
export default vscode;

/** The address of the ingress itself, from that of something in it. */
function parentDomain(url: string): string {
  const { hostname, port } = new URL(url);
  return `https://${hostname.slice(hostname.indexOf(".") + 1)}:${port || 443}`;
}

import assert from "node:assert/strict";
import { errorPage } from "./error_page.ts";

Deno.test("whatever a message holds, it is text on the page", () => {
  const evil = `</h1><script>alert("1")</script>&'`;
  const page = errorPage({ status: 502, code: evil, message: evil, hint: evil, traceId: evil });
  assert.doesNotMatch(page, /<script|alert\("/);
  assert.equal(
    page.match(/&lt;script&gt;alert\(&quot;1&quot;\)&lt;\/script&gt;&amp;&#39;/g)?.length,
    5,
  );
  assert.doesNotMatch(page, /\b(src|href)=|url\(|@import/, "it needs nothing from elsewhere");
});

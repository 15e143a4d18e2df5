export interface ErrorPageContent {
  status: number;
  code: string;
  message: string;
  hint?: string;
  traceId: string;
}

/** A page that needs nothing else: no script, no picture, no font from elsewhere. */
export function errorPage({ status, code, message, hint, traceId }: ErrorPageContent): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${status} · ${escape(message)}</title>
<style>
:root { color-scheme: light dark; --ink: #1d2330; --dim: #6b7385; --paper: #f6f7f9; --card: #fff; --line: #e2e5eb; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaf0; --dim: #98a0b3; --paper: #14171d; --card: #1c2028; --line: #2c323e; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem;
  background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 34rem; padding: 2rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 12px; }
.status { margin: 0; color: var(--dim); font-size: .875rem; letter-spacing: .04em; }
h1 { margin: .25rem 0 .75rem; font-size: 1.375rem; line-height: 1.3; overflow-wrap: anywhere; }
p { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 1.5rem; padding-top: 1rem; border-top: 1px solid var(--line);
  color: var(--dim); font: .8125rem/1.6 ui-monospace, monospace; overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
<p class="status">${status}</p>
<h1>${escape(message)}</h1>
${hint === undefined ? "" : `<p>${escape(hint)}</p>\n`}<footer>${escape(code)}<br>${
    escape(traceId)
  }</footer>
</main>
</body>
</html>
`;
}

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

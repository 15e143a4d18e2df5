// Runs in a sandbox: answers in all the ways that a client must understand.
const listener = Deno.serve({
  port: 0,
  hostname: "127.0.0.1",
  onListen: ({ port }) => console.log(port),
}, handle);
let seenAborts = 0;

async function handle(request: Request): Promise<Response> {
  const url = new URL(request.url);
  const size = Number(url.searchParams.get("size") ?? 0);
  switch (url.pathname) {
    case "/echo": {
      const body = await request.text();
      return Response.json({
        method: request.method,
        host: request.headers.get("host"),
        headers: [...request.headers].filter(([name]) => name.startsWith("x-")),
        type: request.headers.get("content-type"),
        body,
      });
    }
    case "/status":
      return new Response(null, {
        status: Number(url.searchParams.get("code")),
      });
    case "/head":
      return new Response("0123456789", { headers: { "content-length": "10", "x-it": "is" } });
    case "/cookies": {
      const headers = new Headers([["set-cookie", "a=1; Path=/"], ["set-cookie", "b=2"]]);
      headers.append("x-two", "one");
      headers.append("x-two", "two");
      return new Response("", { headers });
    }
    case "/gzip": {
      const packed = new Response("packed ".repeat(1000)).body!.pipeThrough(
        new CompressionStream("gzip"),
      );
      return new Response(packed, {
        headers: { "content-encoding": "gzip", "content-type": "text/plain" },
      });
    }
    case "/bytes":
      return new Response(zeros(size));
    case "/count": {
      let bytes = 0;
      for await (const chunk of request.body!) bytes += chunk.length;
      return Response.json(bytes);
    }
    case "/redirect": {
      if (url.searchParams.has("drain")) await request.arrayBuffer();
      const to = url.searchParams.get("to") ?? "/echo";
      const status = Number(url.searchParams.get("code") ?? 302);
      return new Response("moved", { status, headers: { location: to } });
    }
    case "/loop":
      return new Response(null, { status: 302, headers: { location: "/loop" } });
    case "/never":
      await new Promise<void>((resolve) =>
        request.signal.addEventListener("abort", () => resolve())
      );
      seenAborts++;
      return new Response("too late");
    case "/drip": {
      let timer: ReturnType<typeof setInterval>;
      return new Response(
        new ReadableStream({
          start: (controller) => {
            timer = setInterval(() => controller.enqueue(new TextEncoder().encode("drop\n")), 20);
          },
          cancel: () => {
            clearInterval(timer);
            seenAborts++;
          },
        }),
      );
    }
    case "/aborts":
      return Response.json(seenAborts);
    case "/broken":
      return new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode("half")),
          pull: () => new Promise((_, reject) => setTimeout(() => reject(new Error("broken")), 50)),
        }),
      );
  }
  return new Response("nothing here", { status: 404 });
}

function zeros(size: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let left = size;
  return new ReadableStream({
    pull(controller) {
      const chunk = new Uint8Array(Math.min(left, 65536));
      left -= chunk.length;
      if (chunk.length > 0) controller.enqueue(chunk);
      if (left === 0) controller.close();
    },
  });
}

await listener.finished;

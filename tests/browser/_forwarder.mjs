// Run in a browser's own network: listens there on the port of an ingress, and carries each connection
// through a socket file to where the ingress is.
import { connect, createServer } from "node:net";

const [port, path] = process.argv.slice(2);
for (const host of ["127.0.0.1", "::1"]) {
  const server = createServer((inside) => {
    const outside = connect(path);
    inside.pipe(outside).pipe(inside);
    for (const [one, other] of [[inside, outside], [outside, inside]]) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  server.listen({ host, port: Number(port) });
  await new Promise((resolve, reject) => server.on("listening", resolve).on("error", reject));
}
console.log("forwarding");

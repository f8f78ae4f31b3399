// A peer on the npm package ws: `node peer.mjs client|server URL SUBPROTOCOL echo|COUNT`.
//
// It echoes what it hears, or sends COUNT messages. What happens to it is a line each: open, close CODE. A server at a URL of
// wss shows the certificate in the file $CERTIFICATE, where its key stands too.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { createRequire } from "node:module";

const { WebSocket, WebSocketServer } = createRequire(process.env.WEB_MODULES + "/")("ws");
const [role, url, subprotocol, what] = process.argv.slice(2);

function attend(socket) {
  const say = () => {
    console.log(`open ${socket.protocol}`);
    if (what !== "echo") {
      for (let i = 0; i < Number(what); i++) socket.send(Buffer.from(`message ${i}`));
    }
  };
  socket.readyState === WebSocket.OPEN ? say() : socket.on("open", say);
  socket.on("message", (data, binary) => what === "echo" && socket.send(data, { binary }));
  socket.on("pong", (data) => console.log(`pong ${data}`));
  socket.on("error", (error) => console.log(`error ${error.message}`));
  socket.on("close", (code) => console.log(`close ${code}`));
}

if (role === "client") {
  const socket = new WebSocket(url, subprotocol);
  attend(socket);
  process.stdin.on("data", (order) => (String(order).startsWith("ping") ? socket.ping("there?") : socket.close(1000)));
} else {
  const { protocol, port, hostname } = new URL(url);
  let where = { port: Number(port), host: hostname };
  if (protocol === "wss:") {
    const pem = readFileSync(process.env.CERTIFICATE);
    where = { server: createServer({ cert: pem, key: pem }).listen(where) };
  }
  const server = new WebSocketServer(where);
  server.on("connection", attend);
  process.stdin.on("data", (order) =>
    server.clients.forEach((c) => (String(order).startsWith("ping") ? c.ping("there?") : c.close(1000)))
  );
}
process.stdin.on("end", () => process.exit());

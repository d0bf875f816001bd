// The one event stream of this browser: a connection a tab would use up the six that a
// browser has for one address.
import { Source } from "./source.js";

const GRACE = 10_000; // a hidden tab is often shown again at once
const SILENT_PORT = 150_000; // background tabs speak once a minute at most

const ports = new Map(); // port -> { isVisible, heardAt }
let source = null;
let last = { type: "lost", at: 0 };
let closing = 0;

function tellAll(message) {
  if (["hello", "resync", "state", "operation", "ping"].includes(message.type)) {
    last = { type: "live", at: message.at, version: message.data.version ?? last.version };
  } else {
    last = { ...last, ...message };
  }
  for (const port of ports.keys()) port.postMessage(message);
}

function review() {
  const now = Date.now();
  for (const [port, known] of ports) {
    if (now - known.heardAt > SILENT_PORT) ports.delete(port);
  }
  const isWatched = [...ports.values()].some((known) => known.isVisible);
  if (isWatched) {
    clearTimeout(closing);
    closing = 0;
    source?.open();
  } else if (source?.isOpen && !closing) {
    closing = setTimeout(() => {
      closing = 0;
      source.close();
      last = { ...last, type: "lost" };
    }, GRACE);
  }
}

addEventListener("connect", (event) => {
  const port = event.ports[0];
  ports.set(port, { isVisible: false, heardAt: Date.now() });
  port.onmessage = ({ data }) => {
    const known = ports.get(port) ?? {};
    known.heardAt = Date.now();
    ports.set(port, known);
    if (data.type === "begin") {
      source ??= new Source(data.url, tellAll);
      if (last.type === "live") port.postMessage({ type: "hello", data: { version: last.version }, at: last.at });
    }
    if (data.type === "begin" || data.type === "visibility") known.isVisible = data.isVisible;
    if (data.type === "leave") ports.delete(port);
    review();
  };
  port.start();
});

setInterval(review, 30_000);

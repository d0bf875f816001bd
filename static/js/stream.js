// Where a page gets its news: from the browser's shared stream, or from one of its own.
import { Source } from "./source.js";

export function listen(root, tell) {
  const url = new URL(`${root}api/v1/stream`, location.href).href;
  const isVisible = () => document.visibilityState === "visible";
  let port = null;
  try {
    const worker = new SharedWorker(new URL("worker.js", import.meta.url), { type: "module", name: `fleet ${url}` });
    port = worker.port;
    worker.onerror = () => {
      port = null;
      alone();
    };
  } catch {
    return alone();
  }
  port.onmessage = ({ data }) => tell(data);
  port.start();
  port.postMessage({ type: "begin", url, isVisible: isVisible() });
  document.addEventListener("visibilitychange", () => port?.postMessage({ type: "visibility", isVisible: isVisible() }));
  addEventListener("pagehide", () => port?.postMessage({ type: "leave" }));
  addEventListener("pageshow", (event) => {
    if (event.persisted) port?.postMessage({ type: "begin", url, isVisible: isVisible() });
  });
  setInterval(() => port?.postMessage({ type: "visibility", isVisible: isVisible() }), 45_000);

  function alone() {
    const source = new Source(url, tell);
    const follow = () => (isVisible() ? source.open() : source.close());
    document.addEventListener("visibilitychange", follow);
    addEventListener("pagehide", () => source.close());
    follow();
  }
}

// One event stream with its troubles: used by the shared worker, or by a page alone.

const SILENCE = 40_000; // the server says something every 15 s
const LONGEST_PAUSE = 30_000;

export class Source {
  #url;
  #tell;
  #stream = null;
  #lastId = "";
  #heardAt = 0;
  #failures = 0;
  #retry = 0;
  #watch = 0;
  #isWanted = false;

  constructor(url, tell) {
    this.#url = url;
    this.#tell = tell;
  }

  get isOpen() {
    return this.#isWanted;
  }

  open() {
    if (this.#isWanted) return;
    this.#isWanted = true;
    this.#connect();
    this.#watch = setInterval(() => this.#notice(), 5_000);
  }

  close() {
    this.#isWanted = false;
    clearInterval(this.#watch);
    clearTimeout(this.#retry);
    this.#stream?.close();
    this.#stream = null;
  }

  #connect() {
    clearTimeout(this.#retry);
    this.#stream?.close();
    const url = new URL(this.#url);
    if (this.#lastId) url.searchParams.set("last_event_id", this.#lastId);
    const stream = new EventSource(url);
    this.#stream = stream;
    for (const name of ["hello", "resync", "state", "operation", "ping", "bye"]) {
      stream.addEventListener(name, (event) => this.#heard(name, event));
    }
    // Our own retries: the browser's give up for good after a 503 of a restart.
    stream.onerror = () => this.#lost();
  }

  #heard(name, event) {
    this.#heardAt = Date.now();
    this.#failures = 0;
    if (event.lastEventId) this.#lastId = event.lastEventId;
    const data = JSON.parse(event.data);
    if (name === "bye" && data.reason === "logged_out") {
      this.close();
      this.#tell({ type: "logged-out" });
    } else if (name === "bye") {
      this.#lost();
    } else {
      this.#tell({ type: name, data, at: this.#heardAt });
    }
  }

  #notice() {
    if (this.#stream && this.#heardAt && Date.now() - this.#heardAt > SILENCE) this.#lost();
  }

  #lost() {
    this.#stream?.close();
    this.#stream = null;
    if (!this.#isWanted) return;
    this.#tell({ type: "lost", at: this.#heardAt });
    clearTimeout(this.#retry);
    const pause = Math.min(LONGEST_PAUSE, 1_000 * 2 ** Math.min(this.#failures, 5));
    this.#failures += 1;
    // Spread, so that a restarted console is not met by everybody at once.
    this.#retry = setTimeout(() => this.#checkAndConnect(), pause * (0.7 + Math.random() * 0.6));
  }

  async #checkAndConnect() {
    if (!this.#isWanted) return;
    try {
      const me = await fetch(new URL("me", this.#url), { cache: "no-store" });
      if (me.status === 401) {
        this.close();
        this.#tell({ type: "logged-out" });
        return;
      }
    } catch {
      this.#lost();
      return;
    }
    if (this.#isWanted) this.#connect();
  }
}

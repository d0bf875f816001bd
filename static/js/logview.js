// The log on the page of a process: its end, then what comes if followed.
import { $, $$, make } from "./dom.js";

const LINES = 200;
const KEPT = 2_000;
const COLOURS = /\x1b\[[0-9;:]*m/g;

export class LogView {
  #box;
  #url;
  #stream = null;
  #name = "stdout";
  #isFollowing = false;

  constructor(box, root) {
    this.#box = box;
    this.#url = new URL(`${root}api/v1/logs`, location.href);
    $(".logtools", box).hidden = false;
    for (const button of $$("[data-stream]", box)) {
      button.addEventListener("click", () => {
        this.#name = button.dataset.stream;
        for (const each of $$("[data-stream]", box)) each.setAttribute("aria-pressed", String(each === button));
        this.#begin();
      });
    }
    $("[data-follow]", box).addEventListener("click", () => {
      this.#isFollowing = !this.#isFollowing;
      $("[data-follow]", box).setAttribute("aria-pressed", String(this.#isFollowing));
      this.#begin();
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.#stop();
      else if (this.#isFollowing && !this.#stream) this.#begin();
    });
    this.#begin();
  }

  get #lines() {
    return $("[data-lines]", this.#box);
  }

  #address(path) {
    const url = new URL(this.#url.href + path);
    url.searchParams.set("selector", this.#box.dataset.selector);
    url.searchParams.set("stream", this.#name);
    url.searchParams.set("lines", String(LINES));
    return url;
  }

  #stop() {
    this.#stream?.close();
    this.#stream = null;
  }

  async #begin() {
    this.#stop();
    this.#lines.replaceChildren();
    if (this.#isFollowing) {
      this.#follow();
      return;
    }
    const url = this.#address("");
    try {
      const answer = await fetch(url, { cache: "no-store" });
      const body = await answer.json();
      if (!answer.ok) this.#mark(body.error.message);
      else this.#add(body.entries);
      if (answer.ok && !body.entries.length) this.#mark("nothing in this log yet; what went wrong is often in the other one: stderr");
    } catch {
      this.#mark("the console cannot be reached");
    }
  }

  #follow() {
    const stream = new EventSource(this.#address("/stream"));
    this.#stream = stream;
    stream.onmessage = (event) => this.#add([JSON.parse(event.data)]);
    // A stream that begins again would repeat lines: say so and let a person decide.
    stream.onerror = () => this.#pause("connection lost: press Follow to go on");
  }

  #pause(why) {
    this.#stop();
    this.#isFollowing = false;
    $("[data-follow]", this.#box).setAttribute("aria-pressed", "false");
    this.#mark(why);
  }

  #add(entries) {
    const lines = this.#lines;
    const isAtEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
    lines.append(...entries.flatMap((entry) => this.#render(entry)));
    while (lines.childNodes.length > KEPT) lines.firstChild.remove();
    if (isAtEnd) lines.scrollTop = lines.scrollHeight;
  }

  #render(entry) {
    if (entry.kind === "marker") return [make("i", { class: "log-marker" }, `— ${entry.text} —\n`)];
    // Colours are left out here: this is the end of one log, in one colour.
    return [make("span", {}, entry.text.replace(COLOURS, ""), entry.is_partial ? "" : "\n")];
  }

  #mark(text) {
    this.#lines.append(make("i", { class: "log-marker" }, `— ${text} —\n`));
    this.#lines.scrollTop = this.#lines.scrollHeight;
  }
}

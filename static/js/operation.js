// The page of one operation, live: progress, each outcome with its reason.
import { $, $$, chip, make, setText, span } from "./dom.js";

const seen = (sighting) => (sighting ? `${sighting.state}${sighting.pid ? ` ${sighting.pid}` : ""}` : "–");
const nameOf = (outcome) => (outcome.process ? `${outcome.host}/${outcome.process}` : outcome.host);

export class OperationView {
  #box;
  #root;
  #rows = new Map();

  constructor(box, root) {
    this.#box = box;
    this.#root = root;
    for (const row of $$("[data-target]", box)) this.#rows.set(row.dataset.target, row);
  }

  get id() {
    return this.#box.dataset.operation;
  }

  async refetch() {
    const answer = await fetch(`${this.#root}api/v1/actions/${encodeURIComponent(this.id)}`, { cache: "no-store" });
    if (answer.ok) this.show(await answer.json());
  }

  async take(message) {
    this.show(message);
    // Log tails do not travel on the stream.
    if (message.is_over) await this.refetch();
  }

  show(operation) {
    const { summary } = operation;
    const total = this.#rows.size;
    const done = total - summary.pending;
    this.#box.dataset.status = operation.status;
    chip(this.#part("status"), operation.status);
    this.#part("progress").value = done;
    setText(this.#part("done"), `${done} of ${total}`);
    this.#part("summary").replaceChildren(...Object.entries(summary).filter(([, n]) => n).map(([name, n]) => make("span", { class: `chip chip-${name}` }, make("b", {}, String(n)), ` ${name}`)));
    this.#part("waiting").replaceChildren(...Object.entries(operation.waiting ?? {}).map(([host, why]) => make("li", {}, make("b", {}, host), `: ${why}`)));
    for (const outcome of operation.outcomes) this.#showOutcome(outcome);
    this.#showButtons(operation.status === "running");
  }

  #part(name) {
    return $(`[data-op="${name}"]`, this.#box);
  }

  #showOutcome(outcome) {
    const row = this.#rows.get(nameOf(outcome));
    if (!row) return;
    const isNews = $('[data-f="outcome"]', row).textContent !== outcome.outcome;
    chip($('[data-f="outcome"]', row), outcome.outcome);
    setText($('[data-f="before"]', row), seen(outcome.before));
    setText($('[data-f="after"]', row), seen(outcome.after));
    setText($('[data-f="took"]', row), outcome.duration_s < 10 ? `${outcome.duration_s.toFixed(1)}s` : span(outcome.duration_s));
    setText($('[data-f="why"]', row), outcome.error?.message ?? "");
    row.dataset.outcome = outcome.outcome;
    if (isNews) row.classList.add("was-changed");
    if (outcome.log_tail && !$(".tail", row)) {
      const isBad = ["failed", "unknown"].includes(outcome.outcome);
      const tail = make("details", { class: "tail" }, make("summary", {}, "log"), make("pre", { class: "log" }, outcome.log_tail));
      tail.open = isBad;
      $(".c-note", row).append(tail);
    }
  }

  #showButtons(isRunning) {
    const cancel = this.#part("cancel");
    if (cancel) cancel.hidden = !isRunning;
    const retry = this.#part("retry");
    if (!retry) return;
    const failed = [...this.#rows].filter(([, row]) => ["failed", "unknown"].includes($('[data-f="outcome"]', row).textContent.trim()));
    this.#part("failed").replaceChildren(...failed.map(([target]) => make("input", { type: "hidden", name: "target", value: target })));
    retry.hidden = isRunning || !failed.length;
  }
}

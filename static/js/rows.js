// Patches what the page shows of processes, and lets their uptimes run.
import { $, $$, chip, setText, span } from "./dom.js";

const byProcess = new Map(); // "host/group:name" -> rows
let skew = 0; // the console's clock minus this browser's, in milliseconds

export function learnClock(serverNow) {
  skew = new Date(serverNow).getTime() - Date.now();
}

export function indexRows() {
  byProcess.clear();
  for (const row of $$("[data-process]")) {
    const rows = byProcess.get(row.dataset.process) ?? [];
    rows.push(row);
    byProcess.set(row.dataset.process, rows);
  }
}

export function patchProcess(process) {
  const rows = byProcess.get(`${process.host}/${process.group}:${process.name}`);
  if (!rows) return false;
  for (const row of rows) patchRow(row, process);
  return true;
}

export function dropProcess(target) {
  for (const row of byProcess.get(target) ?? []) {
    chip($('[data-f="state"]', row), "STOPPED", "GONE");
    setText($('[data-f="pid"]', row), "");
    for (const box of $$("input[type=checkbox]", row)) {
      box.checked = false;
      box.disabled = true;
    }
  }
}

export function patchHost(host) {
  for (const row of $$("[data-on]")) {
    if (row.dataset.on === host.name) row.classList.toggle("is-stale", host.stale);
  }
}

function patchRow(row, process) {
  chip($('[data-f="state"]', row), process.state);
  setText($('[data-f="pid"]', row), process.pid ? String(process.pid) : "");
  const uptime = $('[data-f="uptime"]', row);
  if (uptime) uptime.dataset.since = process.started_at ?? "";
  setText($('[data-f="info"]', row), info(process));
  row.classList.toggle("is-stale", process.stale);
  row.classList.remove("was-changed");
  void row.offsetWidth; // starts the animation anew
  row.classList.add("was-changed");
}

function info(process) {
  if (process.state === "EXITED") return `exit status ${process.exit_status}`;
  if (["BACKOFF", "FATAL", "UNKNOWN"].includes(process.state)) return process.spawn_error;
  return "";
}

export function tick() {
  const now = Date.now() + skew;
  for (const node of $$("[data-since]")) {
    const row = node.closest(".is-stale");
    if (row) continue; // nobody knows whether it still runs
    const since = node.dataset.since;
    setText(node, since ? span((now - new Date(since).getTime()) / 1000) : "");
  }
}

// Every page of who is logged in: live state, honest about when it is not.
import { $, $$, localTime, localizeTimes, make, setText } from "./dom.js";
import { isChoosing, prepareForms } from "./forms.js";
import { LogView } from "./logview.js";
import { OperationView } from "./operation.js";
import { dropProcess, indexRows, learnClock, patchHost, patchProcess, tick } from "./rows.js";
import { listen } from "./stream.js";

const { root, now } = document.body.dataset;
const shownAt = new Date(now);
let version = Number(document.body.dataset.version) || 0;
let heardAt = shownAt.getTime();
let refreshTimer = 0;
let lastRefresh = 0;
const announced = new Set();

const operationBox = $("[data-operation]");
const operation = operationBox ? new OperationView(operationBox, root) : null;
if (operation) announced.add(operation.id);

learnClock(now);
localizeTimes();
indexRows();
prepareForms();
tick();
setInterval(tick, 1_000);
for (const box of $$("[data-logview]")) new LogView(box, root);

// -- regions that are lists: fetched anew, as the server makes them

const REFRESH_PAUSE = 1_200;

function refreshSoon() {
  if (!$("[data-refresh]") || refreshTimer) return;
  const wait = Math.max(250, REFRESH_PAUSE - (Date.now() - lastRefresh));
  refreshTimer = setTimeout(refresh, wait);
}

async function refresh() {
  refreshTimer = 0;
  lastRefresh = Date.now();
  if (document.visibilityState === "hidden") return;
  let page;
  try {
    const answer = await fetch(location.href, { cache: "no-store", headers: { "X-Fleet-Refresh": "1" } });
    if (!answer.ok || answer.redirected) return;
    page = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    return; // the stream will say that the connection is lost
  }
  for (const region of $$("[data-refresh]")) {
    const fresh = page.getElementById(region.id);
    // Who is choosing or reading a log must not lose it.
    if (!fresh || isChoosing(region) || region.contains(document.activeElement) || $("details[open]", region)) continue;
    region.replaceChildren(...fresh.childNodes);
    prepareForms(region);
    localizeTimes(region);
  }
  indexRows();
  tick();
}

// -- the table of processes: fetched anew after a gap

async function refetchRows() {
  if (!$("[data-process]")) return;
  try {
    const wanted = new Set($$("[data-on]").map((row) => row.dataset.on));
    const url = new URL(`${root}api/v1/processes`, location.href);
    if (wanted.size <= 50) for (const host of wanted) url.searchParams.append("host", host);
    const answer = await fetch(url, { cache: "no-store" });
    if (!answer.ok) return;
    const body = await answer.json();
    for (const process of body.processes) patchProcess(process);
    version = Math.max(version, body.version);
  } catch {
    /* the stream will say that the connection is lost */
  }
}

function lookAgain() {
  refetchRows();
  refreshSoon();
  operation?.refetch();
}

// -- what the stream says

const live = $("#live");
const lost = $("#lost");

function showLive(state, words) {
  live.dataset.state = state;
  setText($("#live-text"), words);
}

function isLive(at) {
  heardAt = at ?? Date.now();
  if (live.dataset.state !== "on") showLive("on", "live");
  lost.hidden = true;
  const time = $("#data-time");
  if (time) {
    time.dateTime = new Date(heardAt).toISOString();
    setText(time, localTime(new Date(heardAt)));
  }
}

function isLost() {
  showLive("lost", "connection lost");
  setText(lost, `Connection lost: data of ${localTime(new Date(heardAt))}. Trying again…`);
  lost.hidden = false;
}

function isLoggedOut() {
  showLive("lost", "logged out");
  lost.replaceChildren("Your login has ended: this page is not live any more. ", make("a", { href: `${root}login?next=${encodeURIComponent(location.pathname.slice(root.length - 1) + location.search)}` }, "Log in again"));
  lost.hidden = false;
}

function takeState(data) {
  if (data.version <= version) return;
  version = data.version;
  for (const host of data.hosts) patchHost(host);
  for (const process of data.processes) patchProcess(process);
  for (const target of data.processes_gone) dropProcess(target);
  refreshSoon();
}

function takeOperation(data) {
  if (operation && data.id === operation.id) operation.take(data);
  if (data.is_over || !announced.has(data.id)) refreshSoon();
  if (announced.has(data.id)) return;
  announced.add(data.id);
  if (!data.is_over) announce(data);
}

function announce(data) {
  const words = `${data.actor}: ${data.action.replaceAll("_", " ")} of ${data.targets}`;
  const note = make("div", { class: "toast-note" }, words, " · ", make("a", { href: `${root}actions/${encodeURIComponent(data.id)}` }, "watch"));
  $("#toasts").append(note);
  setTimeout(() => note.remove(), 8_000);
}

listen(root, (message) => {
  if (message.type === "lost") return isLost();
  if (message.type === "logged-out") return isLoggedOut();
  const wasLost = live.dataset.state === "lost";
  isLive(message.at);
  if (message.type === "state") takeState(message.data);
  else if (message.type === "operation") takeOperation(message.data);
  else if (message.type === "resync" || wasLost) lookAgain();
  else if (message.type === "hello" && message.data.version !== version) lookAgain();
  return undefined;
});

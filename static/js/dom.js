// Small helpers. Text always goes in as text: nothing of a host is ever markup.

export const $ = (selector, from = document) => from.querySelector(selector);
export const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];

export function setText(node, text) {
  if (node && node.textContent !== text) {
    node.textContent = text;
    return true;
  }
  return false;
}

export function chip(node, word, text = word) {
  if (!node) return;
  node.className = `chip chip-${word.toLowerCase().replaceAll("_", "-")}`;
  setText(node, text);
}

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

export function localTime(moment, withDay) {
  const isToday = moment.toDateString() === new Date().toDateString();
  return withDay && !isToday ? `${day.format(moment)} ${clock.format(moment)}` : clock.format(moment);
}

export function localizeTimes(from = document) {
  for (const node of $$("time[data-clock]", from)) {
    const moment = new Date(node.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    setText(node, localTime(moment, node.dataset.clock === "day"));
    node.title = moment.toISOString().replace("T", " ").replace(/\.\d+Z/, " UTC");
  }
}

export function span(seconds) {
  let rest = Math.max(0, Math.round(seconds));
  const words = [];
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]]) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) words.push(`${count}${unit}`);
    else if (words.length) break;
  }
  return words.slice(0, 2).join("") || "0s";
}

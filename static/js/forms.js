// Choosing rows, and forms that are sent once.
import { $, $$, setText } from "./dom.js";

export function prepareForms(from = document) {
  for (const form of $$("form[data-once]", from)) once(form);
  for (const form of $$("form[data-actform]", from)) choosing(form);
  for (const link of $$("[data-back]", from)) {
    link.addEventListener("click", (event) => {
      if (history.length < 2) return;
      event.preventDefault();
      history.back();
    });
  }
}

function once(form) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    for (const button of $$("button[type=submit]", form)) button.setAttribute("aria-disabled", "true");
  });
  // Coming back with the browser's button finds the form usable; its key still acts once.
  addEventListener("pageshow", () => delete form.dataset.sent);
}

function choosing(form) {
  const boxes = () => $$('input[name="target"]', form);
  const all = $("[data-pick-all]", form);
  const count = $("[data-chosen-count]", form);
  let anchor = null;
  const show = () => {
    const chosen = boxes().filter((box) => box.checked).length;
    setText(count, chosen ? `${chosen} chosen` : "Choose processes, then");
    form.classList.toggle("has-chosen", chosen > 0);
    if (all) {
      all.checked = chosen > 0 && chosen === boxes().length;
      all.indeterminate = chosen > 0 && !all.checked;
    }
  };
  if (all) {
    all.hidden = false;
    all.addEventListener("change", () => {
      for (const box of boxes()) if (!box.disabled) box.checked = all.checked;
      show();
    });
  }
  form.addEventListener("click", (event) => {
    if (event.target.name !== "target") return;
    const list = boxes();
    const at = list.indexOf(event.target);
    if (event.shiftKey && anchor !== null) {
      const [from, to] = [Math.min(anchor, at), Math.max(anchor, at)];
      for (const box of list.slice(from, to + 1)) box.checked = event.target.checked;
    }
    anchor = at;
    show();
  });
  form.addEventListener("submit", (event) => {
    if (boxes().some((box) => box.checked)) return;
    event.preventDefault();
    setText(count, "First choose at least one process");
    count.classList.add("warnline");
  });
  show();
}

export function isChoosing(from) {
  return $$('input[name="target"]:checked', from).length > 0 || Boolean($("details.more[open]", from));
}

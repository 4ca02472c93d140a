// What pages do beyond HTML: confirming, copying, colours. Everything works without it, only less smoothly.
"use strict";

// A form with data-confirm asks first, in a dialog of ours.
const confirmed = new WeakSet();
document.addEventListener("submit", (event) => {
  const form = event.target;
  const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
  const dialog = document.getElementById("confirm");
  if (!question || confirmed.delete(form) || !dialog) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  dialog.querySelector("p").textContent = question;
  dialog.returnValue = "no";
  dialog.addEventListener(
    "close",
    () => {
      if (dialog.returnValue !== "yes") return;
      confirmed.add(form);
      form.requestSubmit(event.submitter);
    },
    { once: true },
  );
  dialog.showModal();
}, true);

// hx-confirm asks in the same dialog.
document.addEventListener("htmx:confirm", (event) => {
  const dialog = document.getElementById("confirm");
  if (!event.detail.question || !dialog) return;
  event.preventDefault();
  dialog.querySelector("p").textContent = event.detail.question;
  dialog.returnValue = "no";
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "yes") event.detail.issueRequest(true);
  }, { once: true });
  dialog.showModal();
});

// On a phone the pages, tabs and periods are wider than it: what is chosen among them is brought into sight.
for (const chosen of document.querySelectorAll("nav [aria-current]")) {
  for (let bar = chosen.parentElement; bar && bar !== document.body; bar = bar.parentElement) {
    if (bar.scrollWidth <= bar.clientWidth || getComputedStyle(bar).overflowX === "visible") continue;
    const [inside, around] = [chosen.getBoundingClientRect(), bar.getBoundingClientRect()];
    if (inside.right > around.right || inside.left < around.left) bar.scrollLeft += inside.left - around.left - 12;
  }
}

// A choice that takes effect at once.
document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-submit]")) event.target.form.requestSubmit();
});

// Parts of a form that are only for some choices: data-for names the field, data-of the values, data-not the one that isn't.
const conditional = [...document.querySelectorAll("[data-for]")];
const settle = () => {
  for (const part of conditional) {
    const value = part.closest("form").elements[part.dataset.for]?.value ?? "";
    const fits = part.dataset.of === undefined ? value !== part.dataset.not : part.dataset.of.split(" ").includes(value);
    part.hidden = part.disabled = !fits;
  }
};
if (conditional.length) {
  settle();
  document.addEventListener("change", settle);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) {
    const field = document.querySelector(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(field.value ?? field.textContent);
      button.textContent = button.dataset.copied;
    } catch {
      field.select?.();
    }
  }
  // An open menu closes when something else is clicked.
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

document.addEventListener("focusin", (event) => {
  if (event.target.matches("input[data-select]")) event.target.select();
});

// Colours: as the device, light or dark, kept in this browser.
const choice = document.querySelector("[data-theme-choice]");
if (choice) {
  const select = choice.querySelector("select");
  choice.hidden = false;
  select.value = document.documentElement.dataset.theme ?? "";
  select.addEventListener("change", () => {
    if (select.value) document.documentElement.dataset.theme = select.value;
    else delete document.documentElement.dataset.theme;
    try {
      if (select.value) localStorage.setItem("theme", select.value);
      else localStorage.removeItem("theme");
    } catch {
      // Storage is blocked: the choice holds until the next page.
    }
    document.dispatchEvent(new CustomEvent("themechange"));
  });
}

// Search as one types, order by column, and selection of rows that lives over updates.

import { follow } from "./live.js";
import { onReset } from "./act.js";

const TYPING_MS = 250;

// The view's choices are in the address: the page, its links and its stream agree on them.
function apply(params) {
  const query = new URLSearchParams([...params].filter(([, value]) => value !== ""));
  const text = query.toString();
  history.replaceState(null, "", text ? `${location.pathname}?${text}` : location.pathname);
  query.set("view", document.getElementById("view").dataset.view);
  follow(query.toString());
}

export function startSearch() {
  let timer = 0;
  const search = (form) => {
    clearTimeout(timer);
    // Other choices as they are now: the form's may be those of the last update.
    const params = new URLSearchParams(location.search);
    params.set("search", form.elements.search.value);
    apply(params);
  };
  document.addEventListener("input", (event) => {
    if (event.target.id !== "search") return;
    clearTimeout(timer);
    timer = setTimeout(() => search(event.target.form), TYPING_MS);
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.classList.contains("search")) return;
    event.preventDefault();
    search(event.target);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-reset-search]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const field = document.getElementById("search");
    field.value = "";
    search(field.form);
    field.focus();
  });
}

// The order of a table: the server's, so that it holds over updates and in the address.
export function startSorting() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-sort]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const params = new URLSearchParams(location.search);
    params.set("sort", new URL(link.href).searchParams.get("sort"));
    apply(params);
  });
}

const boxes = () => [...document.querySelectorAll("input[data-select]")];
const selected = () => boxes().filter((box) => box.checked).map((box) => box.dataset.select);

export function startSelection() {
  document.addEventListener("change", (event) => {
    if (event.target.matches("input[data-select-all]")) {
      for (const box of boxes()) box.checked = event.target.checked;
    } else if (!event.target.matches("input[data-select]")) {
      return;
    }
    update();
  });
  document.addEventListener("shown", update);
  onReset(selected, () => {
    for (const box of boxes()) box.checked = false;
    update();
  });
}

function update() {
  const count = selected().length;
  const button = document.querySelector('button[data-act="reset"]');
  if (!button) return;
  button.disabled = count === 0;
  button.textContent = count === 0 ? "Reset selected" : `Reset ${count} selected`;
  const all = document.querySelector("input[data-select-all]");
  all.checked = count > 0 && count === boxes().length;
  all.indeterminate = count > 0 && !all.checked;
}

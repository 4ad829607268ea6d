/* Small helps for the pages. Everything works without them, but the selection of rows. No inline scripts: the CSP forbids them. */
"use strict";

(() => {
  /* Rows of a list: count, all of the page, all that match. */
  function selection(form) {
    const boxes = [...form.querySelectorAll("input.action-select")];
    const toggle = form.querySelector("[data-toggle-all]");
    const bar = form.querySelector("[data-actions]");
    if (!boxes.length || !bar) return;
    const across = form.querySelector("input[name=select_across]");
    const count = bar.querySelector("[data-count]");
    const acrossButton = bar.querySelector("[data-across]");
    const clearButton = bar.querySelector("[data-clear]");
    let last = null;

    function show() {
      const chosen = boxes.filter((box) => box.checked).length;
      const all = across.value === "1";
      boxes.forEach((box) => box.closest("tr").classList.toggle("mu-selected", box.checked));
      if (toggle) {
        toggle.checked = chosen === boxes.length;
        toggle.indeterminate = chosen > 0 && chosen < boxes.length;
      }
      const text = all ? bar.querySelector("[data-count]").dataset.all
        : chosen ? count.dataset.some.replace("%s", chosen) : count.dataset.none;
      if (count.textContent !== text) count.textContent = text;
      if (acrossButton) acrossButton.hidden = all || chosen !== boxes.length;
      clearButton.hidden = !chosen;
      bar.querySelectorAll("[data-act]").forEach((button) => { button.disabled = !chosen; });
      bar.querySelectorAll("[data-act-count]").forEach((number) => {
        number.textContent = chosen ? ` (${all ? count.dataset.total : chosen})` : "";
      });
    }
    function set(list, checked) {
      list.forEach((box) => { box.checked = checked; });
      across.value = "0";
      show();
    }
    boxes.forEach((box) => box.addEventListener("click", (event) => {
      const from = boxes.indexOf(last);
      const to = boxes.indexOf(box);
      set(event.shiftKey && from >= 0 ? boxes.slice(Math.min(from, to), Math.max(from, to) + 1) : [box], box.checked);
      last = box;
    }));
    if (toggle) toggle.addEventListener("click", () => set(boxes, toggle.checked));
    if (acrossButton) acrossButton.addEventListener("click", () => { across.value = "1"; show(); });
    clearButton.addEventListener("click", () => set(boxes, false));
    window.addEventListener("pageshow", () => { across.value = "0"; show(); });
    show();
  }

  /* Filters that say nothing do not lengthen the address. */
  function dropEmpty(form) {
    form.addEventListener("submit", () => {
      form.querySelectorAll("input, select").forEach((field) => { if (!field.value) field.disabled = true; });
    });
    window.addEventListener("pageshow", () => {
      form.querySelectorAll("input, select").forEach((field) => { field.disabled = false; });
    });
  }

  /* On a phone the filters fold away, unless one is set. The style sheet decides what a phone is. */
  function foldFilters(form) {
    const button = form.querySelector("[data-filters]");
    const more = form.querySelector(".mu-filter-more");
    if (!button || !more) return;
    function fold(closed) {
      form.classList.toggle("mu-closed", closed);
      button.setAttribute("aria-expanded", String(!closed));
    }
    fold(!("active" in more.dataset));
    button.addEventListener("click", () => fold(!form.classList.contains("mu-closed")));
  }

  /* A second click on a button that has been sent does nothing. */
  function sentOnce(form) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) { event.preventDefault(); return; }
      form.dataset.sent = "1";
    });
    window.addEventListener("pageshow", () => { delete form.dataset.sent; });
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("form[data-selection]").forEach(selection);
    document.querySelectorAll("form[data-drop-empty]").forEach(dropEmpty);
    document.querySelectorAll("form.mu-filters").forEach(foldFilters);
    document.querySelectorAll("form[method=post]").forEach(sentOnce);
  });

  /* A recent reason is one click away. */
  document.addEventListener("click", (event) => {
    const chip = event.target.closest("[data-reason]");
    if (!chip) return;
    const field = document.getElementById(chip.dataset.reason);
    field.value = chip.dataset.text;
    field.focus();
  });

  /* When the session ended, a fragment would show the log-in page inside the page: load the whole page instead. */
  document.addEventListener("htmx:beforeSwap", (event) => {
    const where = event.detail.xhr.responseURL || "";
    if (new URL(where || "/", window.location.href).pathname.startsWith("/login")) {
      event.detail.shouldSwap = false;
      window.location.reload();
    }
  });
})();

/* Small helps for the pages. Everything works without them, but the selection of rows. No inline scripts: the CSP forbids them. */
"use strict";

(() => {
  /* What a remote cannot do is not offered: an action is there when the systems of all ticked rows can do it. */
  function systemOf(box) {
    const holder = box.closest("[data-system]");
    return holder ? holder.dataset.system : "";
  }
  function canAll(button, systems) {
    if (!("systems" in button.dataset)) return true;
    const able = button.dataset.systems.split(" ");
    return [...systems].every((system) => able.includes(system));
  }

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
      bar.classList.toggle("mu-some", chosen > 0);
      const systems = new Set(boxes.filter((box) => box.checked).map(systemOf));
      bar.querySelectorAll("[data-act]").forEach((button) => {
        button.disabled = !chosen;
        button.hidden = !canAll(button, systems);
      });
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

  /* Likewise what is only beside the point: where the style sheet shows its heading, it is shut. */
  function foldAway(details) {
    if (getComputedStyle(details.querySelector("summary")).display !== "none") details.open = false;
  }

  /* A second click on a button that has been sent does nothing. */
  function sentOnce(form) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) { event.preventDefault(); return; }
      form.dataset.sent = "1";
    });
    window.addEventListener("pageshow", () => { delete form.dataset.sent; });
  }

  /* Fields that count only with a certain choice elsewhere in the form. */
  function onlyWith(field) {
    const choice = field.closest("form").elements[field.dataset.onlyWith];
    if (!choice) return;
    function show() { field.hidden = choice.value !== field.dataset.onlyValue; }
    choice.addEventListener("change", show);
    show();
  }

  /* Pages that ask "which ones?" say how many are chosen, also after a search has brought other rows. */
  function tellChosen(form) {
    const count = form.querySelector("[data-count]");
    function tell() {
      const chosen = form.querySelectorAll("input[name=chosen]:checked").length;
      const text = chosen ? form.dataset.some.replace("%s", chosen) : form.dataset.none;
      if (count.textContent !== text) count.textContent = text;
    }
    form.addEventListener("change", tell);
    document.addEventListener("htmx:afterSettle", tell);
    window.addEventListener("pageshow", tell);
    tell();
  }

  /* What a page cannot do without a script is offered only with one. */
  function copyAddress(button) {
    if (!navigator.clipboard) return; // without https nothing can be copied
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(window.location.href);
      button.nextElementSibling.textContent = button.dataset.copyAddress;
    });
  }
  function print(button) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }

  /* What is new on the page, whole or a fragment, gets its helps once. */
  function help(root) {
    function each(selector, give) {
      [...(root.matches && root.matches(selector) ? [root] : []), ...root.querySelectorAll(selector)].forEach((node) => {
        const given = node.helped || (node.helped = new Set());
        if (!given.has(give)) { given.add(give); give(node); }
      });
    }
    each("form[data-selection]", selection);
    each("form[data-drop-empty]", dropEmpty);
    each("form.mu-filters", foldFilters);
    each("[data-fold]", foldAway);
    each("form[method=post]:not([data-again])", sentOnce);
    each("[data-only-with]", onlyWith);
    each("form[data-pick]", tellChosen);
    each("[data-copy-address]", copyAddress);
    each("[data-print]", print);
  }
  document.addEventListener("DOMContentLoaded", () => help(document));
  document.addEventListener("htmx:load", (event) => help(event.detail.elt));

  /* A recent reason is one click away. */
  document.addEventListener("click", (event) => {
    const chip = event.target.closest("[data-reason]");
    if (!chip) return;
    const field = document.getElementById(chip.dataset.reason);
    field.value = chip.dataset.text;
    field.focus();
  });

  /* One search over everything: "/" begins it, arrows go through what was found, Escape leaves it. */
  document.addEventListener("keydown", (event) => {
    const box = document.getElementById("find");
    if (!box) return;
    const found = document.getElementById("found");
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      if (box.offsetParent) box.select(); else window.location.assign(box.form.action);
      return;
    }
    if (!event.target.closest(".mu-find")) return;
    if (event.key === "Escape") {
      found.replaceChildren();
      box.focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const stops = [box, ...found.querySelectorAll("a")];
      const next = stops[stops.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
      if (next) { event.preventDefault(); next.focus(); }
    }
  });
  document.addEventListener("click", (event) => {
    const found = document.getElementById("found");
    if (found && !event.target.closest(".mu-find")) found.replaceChildren();
  });

  /* A list that looks again by itself leaves alone whoever selects or types in it. */
  document.addEventListener("htmx:beforeSwap", (event) => {
    const list = event.detail.target;
    if (list.id !== "changelist") return;
    const inUse = list.contains(document.activeElement) || list.querySelector("input.action-select:checked");
    if (inUse) event.detail.shouldSwap = false;
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

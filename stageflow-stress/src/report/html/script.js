"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Filters: checkboxes of one key mean "any of these", keys and words mean "all of these".
  const texts = new WeakMap();
  const textOf = (item) => {
    if (!texts.has(item)) texts.set(item, (item.dataset.text ?? item.textContent).toLowerCase());
    return texts.get(item);
  };
  const apply = (form) => {
    const list = document.getElementById(form.dataset.list);
    const wanted = {};
    for (const box of all("input[type=checkbox]:checked", form)) (wanted[box.dataset.key] ??= []).push(box.value);
    const words = (form.querySelector("[data-key=text]")?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const items = [...list.children];
    let shown = 0;
    for (const item of items) {
      const keys = Object.entries(wanted).every(([key, values]) => values.includes(item.dataset[key]));
      const show = keys && words.every((word) => textOf(item).includes(word));
      item.hidden = !show;
      shown += show;
    }
    form.querySelector("output").value = `${shown} of ${items.length}`;
    const nothing = list.parentElement.querySelector(".nothing");
    if (nothing) nothing.hidden = shown > 0;
  };
  const order = (form) => {
    const key = form.querySelector("[data-key=order]")?.value;
    if (!key) return;
    const list = document.getElementById(form.dataset.list);
    const down = key === "seen" || key === "created" || key === "runs";
    const of = (item) => item.dataset[key] ?? "";
    const items = [...list.children].sort((a, b) => (down ? -1 : 1) * of(a).localeCompare(of(b), undefined, { numeric: true }));
    list.append(...items);
  };
  for (const form of all("form.filters")) {
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => {
      if (event.target.dataset.key === "order") order(form);
      else apply(form);
    });
    form.addEventListener("reset", () => setTimeout(() => (order(form), apply(form))));
    form.addEventListener("click", (event) => {
      const what = event.target.dataset.do;
      if (!what) return;
      for (const details of all(":scope > :not([hidden]) details, :scope > details:not([hidden])", document.getElementById(form.dataset.list))) {
        details.open = what === "open";
      }
    });
    // A browser that comes back to the page keeps what was chosen.
    if (all("input:checked", form).length || form.querySelector("[data-key=text]")?.value) apply(form);
  }

  // Tables whose headings sort.
  for (const table of all("table.sortable")) {
    const headings = all("th", table);
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      button.title = "Sort by this column";
      heading.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = heading.getAttribute("aria-sort") === "ascending";
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        const value = (row) => {
          const cell = row.cells[column];
          return cell.dataset.v ?? (cell.classList.contains("absent") ? null : cell.textContent);
        };
        const body = table.tBodies[0];
        const rows = [...body.rows].sort((a, b) => {
          const [x, y] = [value(a), value(b)];
          // What was not measured comes last, whichever way the column is sorted.
          if (x === null || y === null) return (x === null) - (y === null);
          const numbers = x !== "" && y !== "" && !isNaN(x) && !isNaN(y);
          return (down ? -1 : 1) * (numbers ? x - y : x.localeCompare(y, undefined, { numeric: true }));
        });
        body.append(...rows);
      });
    });
  }

  // An address with an anchor shows its target, whatever is closed or filtered.
  const reveal = () => {
    let id = "";
    try { id = decodeURIComponent(location.hash.slice(1)); } catch { return; }
    const target = id && document.getElementById(id);
    if (!target) return;
    if (target.hidden) for (const form of all("form.filters")) if (document.getElementById(form.dataset.list).contains(target)) form.reset();
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    const inner = target.tagName === "TR" && target.querySelector("details");
    if (inner) inner.open = true;
    setTimeout(() => target.scrollIntoView({ block: "start" }));
  };
  addEventListener("hashchange", reveal);
  reveal();

  // Commands can be copied.
  document.addEventListener("toggle", (event) => event.target.tagName === "DETAILS" && event.target.open && copiers(event.target), true);
  const copiers = (within) => {
    if (!navigator.clipboard) return;
    for (const pre of all("pre:not(.diff):not([data-copy])", within)) {
      pre.dataset.copy = "";
      const text = pre.textContent;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Copy";
      button.addEventListener("click", () => navigator.clipboard.writeText(text).then(
        () => (button.textContent = "Copied"),
        () => (button.textContent = "Not allowed")));
      pre.append(button);
    }
  };
  all(".card, details[open]").forEach(copiers);

  // Keys: / searches, j and k go through what is shown.
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    if (event.key === "/") {
      const field = document.querySelector("[data-key=text]");
      if (field) { event.preventDefault(); field.focus(); field.scrollIntoView({ block: "center" }); }
    } else if (event.key === "j" || event.key === "k") {
      const stops = all("#finding-list > :not([hidden]) > summary, #entry-list > details:not([hidden]) > summary");
      const now = stops.indexOf(document.activeElement);
      const next = stops[event.key === "j" ? now + 1 : Math.max(0, now - 1)];
      if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
    }
  });

  // Theme: as the system has it, or the other one.
  const theme = document.createElement("button");
  theme.type = "button";
  theme.className = "theme";
  const dark = () => root.classList.contains("dark") || (!root.classList.contains("light") && matchMedia("(prefers-color-scheme: dark)").matches);
  const name = () => (theme.textContent = dark() ? "Light theme" : "Dark theme");
  theme.addEventListener("click", () => {
    const to = dark() ? "light" : "dark";
    root.classList.remove("light", "dark");
    root.classList.add(to);
    name();
  });
  name();
  const bar = document.querySelector("nav.parts ul");
  if (bar) { const item = document.createElement("li"); item.className = "theme"; item.append(theme); bar.append(item); }

  // On paper nothing can be opened.
  let closed = [];
  addEventListener("beforeprint", () => { closed = all("main details:not([open])").slice(0, 500); closed.forEach((one) => (one.open = true)); });
  addEventListener("afterprint", () => { closed.forEach((one) => (one.open = false)); closed = []; });
})();

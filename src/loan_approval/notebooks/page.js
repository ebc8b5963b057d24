"use strict";
for (const head of document.querySelectorAll("thead tr:last-child th")) {
  const table = head.closest("table"), column = head.cellIndex, button = document.createElement("button");
  if (!table.tBodies.length || !head.textContent.trim()) continue;
  button.append(...head.childNodes);
  button.title = "Sort by this column";
  head.append(button);
  button.addEventListener("click", () => {
    const falls = head.ariaSort === "ascending", rows = [...table.tBodies[0].rows];
    for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
    head.ariaSort = falls ? "descending" : "ascending";
    const text = (row) => row.cells[column]?.dataset.order ?? row.cells[column]?.textContent ?? "";
    const compare = (a, b) => text(a).localeCompare(text(b), "en", { numeric: true });
    const number = (row) => (text(row).trim() === "" ? NaN : Number(text(row)));
    rows.sort((a, b) => (falls ? -1 : 1) * (number(a) - number(b) || compare(a, b)));
    table.tBodies[0].append(...rows);
  });
}
for (const place of document.querySelectorAll(".plot")) {
  Bokeh.embed.embed_item(JSON.parse(place.dataset.plot), place);
}
for (const contents of document.querySelectorAll("nav details")) contents.open = innerWidth > 800;

// One row of cells for each engine asked for, one cell a page. Changes are drawn once a frame.
import { said } from "./sentences.js";
import { word } from "./words.js";

const MANY = 120; // cells from which they are small and without numbers
const FINAL = ["done", "failed", "cancelled"];

export class Strips {
  constructor(root, hint, onOpen) {
    this.root = root;
    this.hint = hint;
    this.onOpen = onOpen;
    this.cells = new Map();
    this.changed = new Map();
    for (const cell of root.querySelectorAll(".cell")) {
      this.cells.set(this.key(cell.dataset.page, cell.parentElement.dataset.engine), cell);
      this.name(cell);
    }
    this.measure();
    root.addEventListener("click", (event) => this.clicked(event));
    root.addEventListener("keydown", (event) => this.pressed(event));
    for (const name of ["pointerover", "focusin"]) root.addEventListener(name, (event) => this.explain(event.target.closest(".cell")));
    for (const name of ["pointerleave", "focusout"]) root.addEventListener(name, () => (hint.textContent = ""));
  }

  key(page, engine) {
    return `${page}:${engine}`;
  }

  first() {
    const cell = this.root.querySelector(".cell");
    return cell && { page: Number(cell.dataset.page), engine: cell.parentElement.dataset.engine };
  }

  // The pages that failed, whoever was asked to read them, as a person would write them: 3-5,8.
  failed() {
    const cells = [...this.root.querySelectorAll('.cell[data-phase="failed"]')];
    const runs = [];
    for (const page of [...new Set(cells.map((cell) => Number(cell.dataset.page)))].sort((a, b) => a - b)) {
      if (runs.length && runs.at(-1).to === page - 1) runs.at(-1).to = page;
      else runs.push({ from: page, to: page });
    }
    return runs.map(({ from, to }) => (from === to ? from : `${from}-${to}`)).join(",");
  }

  measure() {
    for (const strip of this.root.querySelectorAll(".strip")) strip.classList.toggle("many", strip.childElementCount > MANY);
  }

  fill(tasks) {
    const strips = new Map();
    for (const task of tasks) {
      if (!this.cells.has(this.key(task.page, task.asked))) {
        if (!strips.has(task.asked)) strips.set(task.asked, []);
        strips.get(task.asked).push(this.makeCell(task));
      }
      this.update(task);
    }
    for (const [engine, cells] of strips) this.strip(engine).append(...cells);
    this.measure();
  }

  strip(engine) {
    const found = this.root.querySelector(`.strip[data-engine="${CSS.escape(engine)}"]`);
    if (found) return found;
    const row = document.createElement("div");
    row.className = "strip-row";
    const strip = document.createElement("div");
    strip.className = "strip";
    strip.setAttribute("role", "listbox");
    strip.setAttribute("aria-orientation", "horizontal");
    strip.setAttribute("aria-label", word("Pages read by {engine}", { engine }));
    strip.dataset.engine = engine;
    row.append(strip);
    this.root.append(row);
    return strip;
  }

  makeCell(task) {
    const cell = document.createElement("a");
    cell.className = "cell";
    cell.setAttribute("role", "option");
    cell.tabIndex = -1;
    cell.href = `?page=${task.page}&engine=${encodeURIComponent(task.asked)}`;
    cell.dataset.page = task.page;
    cell.dataset.state = "queued";
    cell.dataset.phase = "pending";
    cell.textContent = task.page;
    this.cells.set(this.key(task.page, task.asked), cell);
    return cell;
  }

  update(task) {
    if (!this.changed.size) requestAnimationFrame(() => this.draw());
    this.changed.set(this.key(task.page, task.asked), task);
  }

  draw() {
    for (const [key, task] of this.changed) {
      const cell = this.cells.get(key);
      if (!cell || (FINAL.includes(cell.dataset.phase) && !FINAL.includes(task.state))) continue;
      cell.dataset.state = task.mark;
      cell.dataset.phase = task.state;
      cell.dataset.reader = task.engine;
      const note = task.reason || task.choice;
      if (note) cell.dataset.note = said(note);
      this.name(cell);
    }
    this.changed.clear();
  }

  // The reader's initial, where pages of one strip have several readers.
  name(cell) {
    const { state, note, reader, page } = cell.dataset;
    const strip = cell.parentElement;
    if (reader && reader !== strip?.dataset.engine && !["queued", "cancelled"].includes(state)) cell.dataset.initial = reader[0];
    else delete cell.dataset.initial;
    cell.setAttribute("aria-label", `${word("Page {n}", { n: page })}, ${word(`page ${state}`)}${note ? `: ${note}` : ""}`);
  }

  select(page, engine) {
    for (const cell of this.root.querySelectorAll('[aria-selected="true"]')) {
      cell.removeAttribute("aria-selected");
      cell.tabIndex = -1;
    }
    const cell = this.cells.get(this.key(page, engine)) ?? this.root.querySelector(".cell");
    if (!cell) return;
    cell.setAttribute("aria-selected", "true");
    cell.tabIndex = 0;
    cell.scrollIntoView({ block: "nearest" });
  }

  choose(cell) {
    const engine = cell.parentElement.dataset.engine;
    this.select(Number(cell.dataset.page), engine);
    this.onOpen(Number(cell.dataset.page), engine);
  }

  clicked(event) {
    const cell = event.target.closest(".cell");
    if (!cell || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    this.choose(cell);
  }

  pressed(event) {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    const cells = [...cell.parentElement.children];
    const at = cells.indexOf(cell);
    const row = cells.findIndex((other, index) => index && other.offsetTop > cells[0].offsetTop);
    const across = row < 0 ? cells.length : row;
    const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + across, ArrowUp: at - across, Home: 0, End: cells.length - 1 };
    const target = event.key === "Enter" || event.key === " " ? cell : cells[steps[event.key]];
    if (!(event.key in steps) && target !== cell) return;
    event.preventDefault();
    if (!target) return;
    target.focus();
    this.choose(target);
  }

  explain(cell) {
    if (!cell) return;
    const { page, state, note, reader } = cell.dataset;
    const parts = [word("Page {n}", { n: page }), word(`page ${state}`)];
    if (reader && !["queued", "cancelled"].includes(state)) parts.push(reader);
    this.hint.textContent = parts.join(" · ") + (note ? `: ${note}` : "");
  }
}

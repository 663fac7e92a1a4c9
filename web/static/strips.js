// One row of cells for each engine asked for, one cell a page. Changes are drawn once a frame.
import { CellRuns, MANY } from "./cell_runs.js";
import { said } from "./sentences.js";
import { word } from "./words.js";

const FINAL = ["done", "failed", "cancelled"];
const ALWAYS = ["queued", "running", "done"]; // the legend explains these while a job is open, others once they are there

export class Strips {
  constructor(root, hint, onOpen) {
    this.root = root;
    this.hint = hint;
    this.onOpen = onOpen;
    this.cells = new Map(); // by page and engine
    this.strips = new Map(); // engine: { strip, cells, runs }
    this.engines = new Map(); // of each cell
    this.changed = new Map();
    for (const strip of root.querySelectorAll(".strip")) {
      const runs = strip.classList.contains("many") ? new CellRuns(strip) : null;
      const cells = runs ? runs.adopt() : [...strip.querySelectorAll(".cell")];
      const row = { strip, cells: [], runs };
      this.strips.set(strip.dataset.engine, row);
      for (const cell of cells) this.add(cell, Number(cell.dataset.page), strip.dataset.engine, row);
      for (const cell of cells) this.mark(cell);
      runs?.measure();
    }
    root.addEventListener("click", (event) => this.clicked(event));
    root.addEventListener("keydown", (event) => this.pressed(event));
    for (const name of ["pointerover", "focusin"]) root.addEventListener(name, (event) => this.explain(event.target.closest(".cell")));
    for (const name of ["pointerleave", "focusout"]) root.addEventListener(name, () => (hint.textContent = ""));
  }

  key(page, engine) {
    return `${page}:${engine}`;
  }

  add(cell, page, engine, row) {
    this.cells.set(this.key(page, engine), cell);
    this.engines.set(cell, engine);
    row.cells.push(cell);
  }

  has(page, engine) {
    return this.cells.has(this.key(page, engine));
  }

  first() {
    const cell = this.strips.values().next().value?.cells[0];
    return cell && { page: Number(cell.dataset.page), engine: this.engines.get(cell) };
  }

  // The pages that failed, whoever was asked to read them, as a person would write them: 3-5,8.
  failed() {
    const cells = [...this.cells.values()].filter((cell) => cell.dataset.phase === "failed");
    const runs = [];
    for (const page of [...new Set(cells.map((cell) => Number(cell.dataset.page)))].sort((a, b) => a - b)) {
      if (runs.length && runs.at(-1).to === page - 1) runs.at(-1).to = page;
      else runs.push({ from: page, to: page });
    }
    return runs.map(({ from, to }) => (from === to ? from : `${from}-${to}`)).join(",");
  }

  fill(tasks) {
    const grown = new Set();
    for (const task of tasks) {
      if (!this.has(task.page, task.asked)) {
        const row = this.row(task.asked);
        this.add(this.makeCell(task), task.page, task.asked, row);
        grown.add(row);
      }
      this.update(task);
    }
    for (const row of grown) this.place(row);
  }

  place(row) {
    const isLong = row.cells.length > MANY;
    row.strip.classList.toggle("many", isLong);
    if (!isLong) row.strip.replaceChildren(...row.cells);
    else (row.runs ??= new CellRuns(row.strip)).make(row.cells);
  }

  row(engine) {
    const found = this.strips.get(engine);
    if (found) return found;
    const element = document.createElement("div");
    element.className = "strip-row";
    const strip = document.createElement("div");
    strip.className = "strip";
    strip.setAttribute("role", "listbox");
    strip.setAttribute("aria-orientation", "horizontal");
    strip.setAttribute("aria-label", word("Pages read by {engine}", { engine }));
    strip.dataset.engine = engine;
    element.append(strip);
    this.root.append(element);
    const row = { strip, cells: [], runs: null };
    this.strips.set(engine, row);
    return row;
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
      const note = task.reason || (task.asked === task.engine ? "" : task.choice); // nobody asks why the one that was asked for
      if (note) cell.dataset.note = said(note);
      this.name(cell);
      if (!ALWAYS.includes(task.mark)) document.querySelector(`[data-legend="${task.mark}"]`)?.removeAttribute("hidden");
    }
    this.changed.clear();
  }

  // The reader's initial, where pages of one strip have several readers.
  mark(cell) {
    const { state, reader } = cell.dataset;
    if (reader && reader !== this.engines.get(cell) && !["queued", "cancelled"].includes(state)) cell.dataset.initial = reader[0];
    else delete cell.dataset.initial;
  }

  name(cell) {
    const { state, note, page } = cell.dataset;
    this.mark(cell);
    cell.setAttribute("aria-label", `${word("Page {n}", { n: page })}, ${word(`page ${state}`)}${note ? `: ${note}` : ""}`);
  }

  select(page, engine) {
    for (const cell of this.cells.values()) {
      if (cell.getAttribute("aria-selected") !== "true") continue;
      cell.removeAttribute("aria-selected");
      cell.tabIndex = -1;
    }
    const cell = this.cells.get(this.key(page, engine)) ?? this.cells.values().next().value;
    if (!cell) return;
    cell.setAttribute("aria-selected", "true");
    cell.tabIndex = 0;
    this.reveal(cell);
  }

  reveal(cell) {
    const { runs } = this.strips.get(this.engines.get(cell));
    if (runs) runs.reveal(cell);
    else cell.scrollIntoView({ block: "nearest" });
  }

  choose(cell) {
    const engine = this.engines.get(cell);
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
    const { cells, runs } = this.strips.get(this.engines.get(cell));
    const at = cells.indexOf(cell);
    const row = runs ? runs.across : cells.findIndex((other, index) => index && other.offsetTop > cells[0].offsetTop);
    const across = row < 0 ? cells.length : row;
    const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + across, ArrowUp: at - across, Home: 0, End: cells.length - 1 };
    const target = event.key === "Enter" || event.key === " " ? cell : cells[steps[event.key]];
    if (!(event.key in steps) && target !== cell) return;
    event.preventDefault();
    if (!target) return;
    this.reveal(target);
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

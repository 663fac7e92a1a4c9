// The cells of a long strip in runs of 50. Those of runs out of sight are kept out of the page: it lays out and paints what is seen.
export const MANY = 120; // cells from which they are small, without numbers, and stand in runs
const RUN = 50;
const NEAR = "40px 0px"; // beyond the strip's edges

export class CellRuns {
  constructor(strip) {
    this.strip = strip;
    this.runs = []; // { element, cells }
    this.runOf = new Map();
    this.observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) this.set(this.runs[target.dataset.run], isIntersecting);
    }, { root: strip, rootMargin: NEAR });
  }

  // Runs that the server has written; the cells of those that were out of sight are in templates.
  adopt() {
    for (const element of this.strip.querySelectorAll(".run")) {
      const sleeping = element.querySelector("template");
      const cells = [...(sleeping?.content ?? element).querySelectorAll(".cell")];
      sleeping?.remove();
      this.add(element, cells);
    }
    return this.runs.flatMap(({ cells }) => cells);
  }

  make(cells) {
    this.observer.disconnect();
    this.runs = [];
    for (let at = 0; at < cells.length; at += RUN) {
      const element = document.createElement("div");
      element.className = "run";
      element.setAttribute("role", "presentation");
      const name = document.createElement("span");
      name.className = "run-name";
      name.setAttribute("aria-hidden", "true");
      name.textContent = cells[at].dataset.page;
      element.append(name);
      this.add(element, cells.slice(at, at + RUN));
    }
    this.strip.replaceChildren(...this.runs.map(({ element }) => element));
    this.set(this.runs[0], true);
    this.measure();
  }

  add(element, cells) {
    const run = { element, cells };
    element.dataset.run = this.runs.length;
    this.runs.push(run);
    for (const cell of cells) this.runOf.set(cell, run);
    this.observer.observe(element);
  }

  // What is empty is as high as what is full, so that scrolling stays where it is.
  measure() {
    const full = this.runs.find(({ element, cells }) => cells.length === RUN && cells[0].parentElement === element);
    if (full) this.strip.style.setProperty("--run-height", `${full.element.offsetHeight}px`);
  }

  set(run, shown) {
    if (!run || (run.cells[0].parentElement === run.element) === shown) return;
    if (shown) run.element.append(...run.cells);
    else if (!run.element.contains(document.activeElement)) for (const cell of run.cells) cell.remove();
  }

  reveal(cell) {
    this.set(this.runOf.get(cell), true);
    cell.scrollIntoView({ block: "nearest" });
  }

  // How many cells stand beside each other.
  get across() {
    const { cells } = this.runs.find(({ element, cells: [first] }) => first.parentElement === element);
    const top = cells[0].getBoundingClientRect().top;
    const next = cells.findIndex((cell) => cell.getBoundingClientRect().top > top);
    return next < 0 ? RUN : next;
  }
}

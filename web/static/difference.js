// The words of two readings: beside each other and scrolled together, or both in one text, and a step from difference to difference.
import { count, word } from "./words.js";

const NARROW = matchMedia("(max-width: 44rem)");
// A line this long ended where the page did: in a column it flows on. Shorter ones are verse, code, cells.
const WIDTH_MADE = /([^\n]{40,})\n(?=\S)/g;
const CJK_LINE = /([\u3040-\u9fff\uff00-\uffef][^\n]{0,3})\n(?=[\u3040-\u9fff])/g;
let view = null; // kept from page to page, once chosen

const flowing = (text) => text.replace(CJK_LINE, "$1").replace(WIDTH_MADE, "$1 ");

export class Difference {
  constructor(root, pieces) {
    this.root = root;
    this.pieces = pieces;
    this.places = pieces.flatMap(({ kind }, at) => (kind === "same" ? [] : [at]));
    this.at = -1;
    this.leader = null;
    for (const column of this.columns) this.fill(column);
    const many = this.places.length;
    root.querySelector("[data-part=count]").textContent = many ? count("{n} difference", "{n} differences", many) : word("No difference in words");
    for (const button of root.querySelectorAll("[data-step]")) {
      button.disabled = !many;
      button.addEventListener("click", () => this.step(Number(button.dataset.step)));
    }
    for (const button of root.querySelectorAll("[data-view]")) button.addEventListener("click", () => this.show((view = button.dataset.view)));
    this.show(view ?? (NARROW.matches ? "together" : "beside"));
  }

  get columns() {
    return [...this.root.querySelectorAll(".words")];
  }

  fill(column) {
    const side = column.dataset.words;
    this.pieces.forEach(({ kind, left, right }, at) => {
      const parts = kind === "same" ? [["span", left]] : [["del", side === "right" ? "" : left], ["ins", side === "left" ? "" : right]];
      for (const [tag, text] of parts) {
        if (!text) continue;
        const piece = document.createElement(tag);
        piece.dataset.piece = at;
        piece.textContent = flowing(side === "right" && tag === "span" ? right : text);
        column.append(piece);
      }
    });
    for (const name of ["pointerenter", "focusin", "touchstart"]) column.addEventListener(name, () => (this.leader = column), { passive: true });
    column.addEventListener("scroll", () => { if (this.leader === column) this.follow(column); }, { passive: true });
  }

  show(name) {
    this.root.querySelector(".sides").dataset.shown = name;
    for (const button of this.root.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === name));
  }

  // The other column shows the same words at its top, whatever stands before them.
  follow(column) {
    const top = column.scrollTop;
    const first = [...column.children].find((piece) => piece.offsetTop + piece.offsetHeight > top);
    if (!first) return;
    const share = (top - first.offsetTop) / Math.max(1, first.offsetHeight);
    for (const other of this.columns) {
      const same = other === column ? null : this.nearest(other, Number(first.dataset.piece));
      if (same) other.scrollTop = same.offsetTop + share * same.offsetHeight;
    }
  }

  nearest(column, at) {
    return [...column.children].find((piece) => Number(piece.dataset.piece) >= at) ?? column.lastElementChild;
  }

  step(by) {
    if (!this.places.length) return;
    this.at = (this.at + by + this.places.length + (this.at < 0 && by < 0 ? 1 : 0)) % this.places.length;
    const piece = this.places[this.at];
    this.leader = null;
    for (const old of this.root.querySelectorAll(".words .current")) old.classList.remove("current");
    for (const column of this.columns.filter((one) => one.offsetParent)) {
      for (const mark of column.querySelectorAll(`[data-piece="${piece}"]`)) mark.classList.add("current");
      const target = this.nearest(column, piece);
      if (column.scrollHeight > column.clientHeight + 1) column.scrollTop = target.offsetTop - column.clientHeight / 3;
    }
    const mark = [...this.root.querySelectorAll(".words .current")].find((one) => one.offsetParent);
    mark?.scrollIntoView({ block: "center" }); // where the window is lower than a column, or the column has no end of its own
    this.root.querySelector("[data-part=count]").textContent = word("difference {at} of {n}", { at: this.at + 1, n: this.places.length });
  }
}

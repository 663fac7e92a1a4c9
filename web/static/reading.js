// The part that shows one page: fetched from the server as HTML, kept while it is the newest.
import { ask, tell } from "./answers.js";
import { markWords } from "./find.js";
import { choose, light, prepare, showBoxes, switchKind, zoomBy } from "./picture.js";
import { word } from "./words.js";

const COPIED_MILLISECONDS = 1500;

export class Reading {
  constructor(root, job, onTurn, has) {
    this.root = root;
    this.has = has;
    this.job = job;
    this.onTurn = onTurn;
    this.asked = 0;
    const article = document.querySelector("#job");
    this.page = Number(article.dataset.page);
    this.engine = article.dataset.engine;
    this.tab = "tab-rendered";
    this.find = new URLSearchParams(location.search).get("find") ?? "";
    root.addEventListener("click", (event) => this.clicked(event));
    root.addEventListener("keydown", (event) => this.pressed(event));
    root.addEventListener("change", ({ target }) => { if (target.matches("[data-goto]")) this.goTo(target); });
    for (const name of ["pointerover", "focusin"]) root.addEventListener(name, ({ target }) => this.pointed(target));
    prepare(root);
    this.mark();
  }

  get shownState() {
    return this.root.querySelector(".sheet")?.dataset.state;
  }

  async open(page, engine, remember = true) {
    this.page = page;
    this.engine = engine;
    const query = new URLSearchParams({ page, engine });
    if (this.find) query.set("find", this.find);
    if (remember) history.pushState(null, "", `?${query}`);
    await this.load();
  }

  async load() {
    const asked = ++this.asked;
    this.root.setAttribute("aria-busy", "true");
    const address = `/jobs/${this.job}/reading/${this.page}?engine=${encodeURIComponent(this.engine)}`;
    const response = await fetch(address, { headers: { Accept: "text/html" } }).catch(() => null);
    if (asked !== this.asked) return; // the person has gone on
    this.root.removeAttribute("aria-busy");
    if (!response?.ok) {
      tell(word("This page could not be fetched. Is the server running?"), true);
      return;
    }
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    this.root.replaceChildren(...fresh.body.childNodes);
    prepare(this.root);
    this.show(this.root.querySelector(`#${this.tab}`));
    this.mark();
  }

  mark() {
    const text = this.root.querySelector("#panel-rendered");
    if (this.find && text) markWords(text, this.find);
  }

  // A page that somebody looks at while it settles is shown as soon as it has.
  refresh(tasks) {
    const task = tasks.find(({ page, asked }) => page === this.page && asked === this.engine);
    if (task && task.state !== this.shownState) this.load();
  }

  turn(step) {
    const target = Number(this.root.querySelector(step > 0 ? "[rel=next]" : "[rel=prev]")?.dataset.turn);
    if (target) this.onTurn(target, this.engine);
  }

  goTo(field) {
    const page = Number(field.value);
    if (page !== this.page && this.has(page, this.engine)) this.onTurn(page, this.engine);
    else {
      if (page !== this.page) tell(word("There is no page {n} here.", { n: field.value }), true);
      field.value = this.page;
    }
  }

  show(tab) {
    if (!tab) return;
    this.tab = tab.id;
    for (const other of this.root.querySelectorAll("[role=tab]")) {
      const on = other === tab;
      other.setAttribute("aria-selected", String(on));
      other.tabIndex = on ? 0 : -1;
      this.root.querySelector(`#${other.getAttribute("aria-controls")}`).hidden = !on;
    }
    tab.scrollIntoView({ block: "nearest", inline: "nearest" }); // on a phone the tabs are a row to scroll
    const copied = this.root.querySelector(`#${tab.getAttribute("aria-controls")} [data-copied]`);
    const copy = this.root.querySelector("[data-copy]");
    if (copy) copy.hidden = !copied && this.tab !== "tab-rendered";
  }

  showNumber(number) {
    this.show(this.root.querySelectorAll("[role=tab]")[number - 1]);
  }

  async copy() {
    const button = this.root.querySelector("[data-copy]");
    const panel = this.tab === "tab-rendered" ? "#panel-markdown" : `#${this.tab.replace("tab", "panel")}`;
    const text = this.root.querySelector(`${panel} [data-copied]`)?.textContent;
    if (!button || text === undefined) return;
    await navigator.clipboard.writeText(text);
    button.textContent = word("Copied");
    setTimeout(() => (button.textContent = word("Copy")), COPIED_MILLISECONDS);
  }

  // A refused answer, which is kept with its page.
  async say(button) {
    try {
      const { attempts } = await ask("GET", `/api/v1/jobs/${this.job}/pages/${this.page}/attempts?engine=${encodeURIComponent(this.engine)}`);
      const said = document.createElement("pre");
      said.textContent = attempts[Number(button.dataset.said)]?.text ?? "";
      button.replaceWith(said);
    } catch (error) {
      tell(error.message, true);
    }
  }

  pointed(target) {
    light(this.root, target.closest("[data-order]")?.dataset.order);
  }

  clicked(event) {
    const { target } = event;
    const tab = target.closest("[role=tab]");
    const turn = target.closest("[data-turn]");
    const reader = target.closest("[data-reader-of]");
    const zoom = target.closest("[data-zoom]");
    const kind = target.closest(".kind");
    const block = target.closest("[data-order]");
    if (tab) this.show(tab);
    else if (turn || reader) {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      if (reader) this.onTurn(this.page, reader.dataset.readerOf);
      else if (turn.dataset.turn) this.onTurn(Number(turn.dataset.turn), this.engine);
    } else if (zoom) zoomBy(this.root, Number(zoom.dataset.zoom));
    else if (target.closest("[data-boxes]")) showBoxes(this.root);
    else if (kind) switchKind(this.root, kind.dataset.kind, kind.getAttribute("aria-pressed") !== "true");
    else if (target.closest("[data-said]")) this.say(target);
    else if (target.closest("[data-copy]")) this.copy();
    else if (block && !target.closest("a")) choose(this.root, block.dataset.order, block);
  }

  pressed(event) {
    const tab = event.target.closest("[role=tab]");
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!tab || !step) return;
    event.preventDefault();
    const tabs = [...this.root.querySelectorAll("[role=tab]")];
    const other = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    this.show(other);
    other.focus();
  }
}

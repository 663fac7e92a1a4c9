// The part that shows one page: fetched from the server as HTML, kept while it is the newest.
export class Reading {
  constructor(root, job) {
    this.root = root;
    this.job = job;
    this.asked = 0;
    const article = document.querySelector("#job");
    this.page = Number(article.dataset.page);
    this.engine = article.dataset.engine;
    this.tab = "tab-rendered";
    root.addEventListener("click", (event) => this.clicked(event));
    root.addEventListener("keydown", (event) => this.pressed(event));
  }

  get shownState() {
    return this.root.querySelector(".sheet")?.dataset.state;
  }

  async open(page, engine, remember = true) {
    this.page = page;
    this.engine = engine;
    const query = `?page=${page}&engine=${encodeURIComponent(engine)}`;
    if (remember) history.pushState(null, "", query);
    await this.load();
  }

  async load() {
    const asked = ++this.asked;
    this.root.setAttribute("aria-busy", "true");
    const address = `/jobs/${this.job}/reading/${this.page}?engine=${encodeURIComponent(this.engine)}`;
    const response = await fetch(address, { headers: { Accept: "text/html" } }).catch(() => null);
    if (asked !== this.asked) return; // the person has gone on
    this.root.removeAttribute("aria-busy");
    if (!response?.ok) return;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    this.root.replaceChildren(...fresh.body.childNodes);
    this.show(this.root.querySelector(`#${this.tab}`));
  }

  // A page that somebody looks at while it settles is shown as soon as it has.
  refresh(tasks) {
    const task = tasks.find(({ page, asked }) => page === this.page && asked === this.engine);
    if (task && task.state !== this.shownState) this.load();
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
  }

  async clicked(event) {
    const tab = event.target.closest("[role=tab]");
    if (tab) this.show(tab);
    const copy = event.target.closest("[data-copy]");
    if (!copy) return;
    const text = this.root.querySelector(copy.dataset.copy).textContent;
    await navigator.clipboard.writeText(text);
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy Markdown"), 1500);
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

// Pages that two readings agree on least come first; each is shown word by word, and one is taken.
import { ask, tell } from "./answers.js";
import { Difference } from "./difference.js";
import { onKey } from "./keys.js";
import { word } from "./words.js";

const article = document.querySelector("#compare");
const { job, with: other } = article.dataset;
const api = `/api/v1/jobs/${job}`;
const list = document.querySelector("#ranking");
const place = document.querySelector("#difference");
const more = document.querySelector("#more");
const MAKING_MILLISECONDS = 1500;
let next = 0;
let shown = null;
let difference = null;

const percent = (share) => `${Math.floor(100 * share)}%`; // not quite alike is never 100%
const query = (values) => new URLSearchParams(other === job ? values : { ...values, with: other });

async function load() {
  const making = document.querySelector("#making");
  let answer = await ask("GET", `${api}/compare?${query({ offset: next, wait: 20 })}`);
  while (answer.state === "making") {
    making.hidden = false;
    await new Promise((resolve) => setTimeout(resolve, MAKING_MILLISECONDS));
    answer = await ask("GET", `${api}/compare?${query({ offset: next, wait: 20 })}`);
  }
  making.hidden = true;
  list.append(...answer.pages.map(row));
  next = answer.next;
  more.hidden = next === null;
  if (!answer.total) place.querySelector(".empty").textContent = word("No page has two readings to compare.");
}

function row(item) {
  const entry = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "ranked";
  button.dataset.page = item.page;
  const [name, share, pair, meter] = ["span", "span", "span", "meter"].map((tag) => document.createElement(tag));
  name.textContent = word("Page {n}", { n: item.page });
  share.className = "share";
  share.textContent = percent(item.agreement);
  pair.className = "pair";
  pair.textContent = item.left.engine === item.right.engine ? item.left.engine : `${item.left.engine} · ${item.right.engine}`;
  Object.assign(meter, { min: 0, max: 1, low: 0.8, high: 0.95, optimum: 1, value: item.agreement });
  meter.setAttribute("aria-label", word("Agreement"));
  button.append(name, share, meter, pair);
  button.addEventListener("click", () => open(item, button));
  entry.append(button);
  return entry;
}

function open(item, button) {
  for (const one of list.querySelectorAll("[aria-current]")) one.removeAttribute("aria-current");
  button.setAttribute("aria-current", "true");
  return openPage(item.page, { left: item.left.engine, right: item.right.engine });
}

async function openPage(number, values) {
  shown = number;
  history.replaceState(null, "", `?${query({ page: number })}`);
  try {
    const page = await ask("GET", `${api}/compare/${number}?${query(values)}`);
    if (shown === number) show(page);
  } catch (error) {
    tell(error.message, true);
  }
}

function show(page) {
  const fresh = document.querySelector("#page-template").content.cloneNode(true);
  fresh.querySelector("[data-part=title]").textContent = word("Page {n}", { n: page.page });
  fresh.querySelector("[data-part=measures]").textContent = [
    word("agreement {share}", { share: percent(page.agreement) }),
    word("words in common {share}", { share: percent(page.words_in_common) }),
    page.order_difference === null ? "" : word("order differs {share}", { share: `${Math.ceil(100 * page.order_difference)}%` }),
  ].filter(Boolean).join(" · ");
  fresh.querySelector("[data-part=cut]").hidden = !page.is_cut;
  const picture = fresh.querySelector(".original img");
  picture.src = `${api}/pages/${page.page}/image`;
  picture.alt = word("Page {n} as it looks", { n: page.page });
  picture.addEventListener("error", () => picture.closest("figure").remove());
  for (const side of ["left", "right"]) {
    const column = fresh.querySelector(`[data-side=${side}]`);
    const { engine, model, taken } = page[side];
    column.querySelector("h3").textContent = engine;
    column.querySelector("h3").title = model;
    const take = column.querySelector("button");
    take.textContent = taken ? word("In the result") : word("Take this one");
    take.setAttribute("aria-pressed", String(taken));
    take.addEventListener("click", () => choose(page, side));
    fresh.querySelector(`.legend [data-of=${side}]`).textContent = engine;
  }
  place.replaceChildren(fresh);
  difference = new Difference(place, page.differences);
}

async function choose(page, side) {
  const { asked, job: source, taken } = page[side];
  try {
    await ask("POST", `${api}/pages/${page.page}/take`, taken ? { engine: null } : { engine: asked, job: source });
    tell(taken ? word("The result follows its rule again.") : word("The result now shows this reading of the page."));
    for (const name of ["left", "right"]) page[name].taken = !taken && name === side;
    show(page);
  } catch (error) {
    tell(error.message, true);
  }
}

function step(by) {
  const buttons = [...list.querySelectorAll(".ranked")];
  const at = buttons.findIndex((button) => button.hasAttribute("aria-current"));
  const target = buttons[Math.max(0, Math.min(buttons.length - 1, at + by))];
  target?.click();
  target?.scrollIntoView({ block: "nearest" });
}

onKey("j", () => step(1));
onKey("k", () => step(-1));
onKey("n", () => difference?.step(1));
onKey("p", () => difference?.step(-1));
more.addEventListener("click", () => load().catch((error) => tell(error.message, true)));

try {
  await load();
  const wanted = article.dataset.page;
  const rows = [...list.querySelectorAll(".ranked")];
  const row = wanted ? rows.find((button) => button.dataset.page === wanted) : rows[0];
  if (row) row.click();
  else if (wanted) await openPage(Number(wanted), {}); // further down the list than is loaded
} catch (error) {
  const trouble = document.querySelector("#trouble");
  trouble.textContent = error.message;
  trouble.hidden = false;
}

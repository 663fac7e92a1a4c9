// One job: follows its events, fills the strip, shows one page at a time.
import { ask, made, tell } from "./answers.js";
import { follow } from "./job_events.js";
import { onKey } from "./keys.js";
import { changedOptions, showOptions } from "./options.js";
import { showBoxes, zoomBy } from "./picture.js";
import { Progress } from "./progress.js";
import { Reading } from "./reading.js";
import { Strips } from "./strips.js";
import { word } from "./words.js";

const article = document.querySelector("#job");
const id = article.dataset.job;
const api = `/api/v1/jobs/${id}`;
const FINAL = ["done", "failed", "cancelled"];

const open = (page, engine, remember = true) => {
  strips.select(page, engine);
  reading.open(page, engine, remember);
};
const reading = new Reading(document.querySelector("#reading"), id, open, (page, engine) => strips.has(page, engine));
const strips = new Strips(document.querySelector("#strips"), document.querySelector("#hint"), open);
const progress = new Progress(document.querySelector("#progress"));
strips.select(Number(article.dataset.page), article.dataset.engine);

addEventListener("popstate", () => {
  const query = new URLSearchParams(location.search);
  const page = Number(query.get("page")) || strips.first()?.page;
  const engine = query.get("engine") || strips.first()?.engine;
  if (page) open(page, engine, false);
});

function showJob(job) {
  article.dataset.state = job.state;
  const state = document.querySelector("#job-state");
  state.dataset.state = job.state;
  state.querySelector("[data-part=word]").textContent = word(job.state);
  document.querySelector("#again-failed").hidden = !job.counts.failed || !FINAL.includes(job.state);
  progress.show(job);
}

// The end changes the buttons above; whoever reads a page below is not disturbed.
async function finish() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!response?.ok || !strips.first()) {
    location.reload();
    return;
  }
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of ["#job-top", "#others"]) document.querySelector(part)?.replaceWith(fresh.querySelector(part) ?? "");
}

if (!FINAL.includes(article.dataset.state)) {
  progress.watch(api);
  follow(api, {
    snapshot({ job, pages }) {
      const wasEmpty = !strips.first();
      strips.fill(pages);
      showJob(job);
      if (wasEmpty && strips.first()) {
        const { page, engine } = strips.first();
        open(page, engine, false);
      } else reading.refresh(pages);
      if (FINAL.includes(job.state)) finish();
    },
    page(task) {
      strips.update(task);
      reading.refresh([task]);
    },
    job: showJob,
    deleted: () => location.assign("/jobs"),
  });
}

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    tell(error.message, true);
  }
}

function runAgain(pages) {
  form.elements.pages.value = pages;
  again.showModal();
}

const deletion = document.querySelector("#delete-dialog");
const again = document.querySelector("#again-dialog");
article.addEventListener("click", ({ target }) => {
  if (target.id === "delete") deletion.showModal();
  else if (target.id === "again") runAgain(article.dataset.pages);
  else if (target.id === "again-failed") runAgain(strips.failed());
  else if (target.id === "cancel") {
    target.disabled = true;
    attempt(() => ask("POST", `${api}/cancel`));
  } else if (target.id === "copy-all") {
    attempt(async () => {
      await made(`${target.dataset.from}?`);
      const response = await fetch(target.dataset.from);
      await navigator.clipboard.writeText(await response.text());
      tell(word("The whole Markdown is on the clipboard."));
    });
  }
  const menu = document.querySelector("#downloads[open]");
  if (menu && !target.closest("summary")) menu.open = false;
});

// Some formats are made when they are first asked for: a link alone would save "being made".
article.addEventListener("click", (event) => {
  const link = event.target.closest("[data-made]");
  if (!link) return;
  event.preventDefault();
  attempt(async () => {
    tell(word("The file is being made…"));
    await made(link.getAttribute("href"));
    link.removeAttribute("data-made");
    link.click();
  });
});

deletion.addEventListener("close", () => {
  if (deletion.returnValue !== "yes") return;
  deletion.returnValue = "";
  attempt(async () => {
    await ask("DELETE", api);
    location.assign("/jobs");
  });
});

const form = document.querySelector("#again-form");
const chosenEngines = () => [...form.querySelectorAll("[name=engine]:checked")].map((box) => box.value);
form.addEventListener("change", ({ target }) => {
  if (target.name === "engine" && target.checked) {
    const isAuto = target.value === "auto"; // auto chooses by itself: it stands alone
    for (const other of form.querySelectorAll("[name=engine]")) if ((other.value === "auto") !== isAuto) other.checked = false;
  }
  form.querySelector(".again-engines").disabled = form.elements.from.value === "postprocess";
  showOptions(form, chosenEngines());
});
showOptions(form, chosenEngines());
again.addEventListener("close", () => {
  if (again.returnValue !== "yes") return;
  again.returnValue = "";
  const fields = form.elements;
  const from = fields.from.value;
  const body = { pages: fields.pages.value.trim(), from, reuse: fields.reuse.checked };
  if (from === "recognize") {
    body.engine = chosenEngines().join(",") || "auto";
    body.options = changedOptions(form, chosenEngines());
  }
  attempt(async () => {
    const job = await ask("POST", `${api}/replay`, body);
    location.assign(`/jobs/${job.id}`);
  });
});

onKey("j", () => reading.turn(1));
onKey("ArrowRight", () => reading.turn(1));
onKey("k", () => reading.turn(-1));
onKey("ArrowLeft", () => reading.turn(-1));
onKey("b", () => showBoxes(reading.root));
onKey("+", () => zoomBy(reading.root, 1));
onKey("-", () => zoomBy(reading.root, -1));
onKey("0", () => zoomBy(reading.root, 0));
onKey("g", () => reading.root.querySelector("[data-goto]")?.select());
onKey("c", () => attempt(() => reading.copy()));
onKey("r", () => document.querySelector("#again")?.click());
onKey("d", () => {
  const menu = document.querySelector("#downloads");
  if (!menu) return;
  menu.open = true;
  menu.querySelector("a").focus();
});
for (const number of [1, 2, 3, 4, 5]) onKey(String(number), () => reading.showNumber(number));

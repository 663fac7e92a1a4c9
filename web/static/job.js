// One job: follows its events, fills the strip, shows one page at a time.
import { ask, tell } from "./answers.js";
import { follow } from "./job_events.js";
import { Reading } from "./reading.js";
import { Strips } from "./strips.js";

const article = document.querySelector("#job");
const id = article.dataset.job;
const api = `/api/v1/jobs/${id}`;
const FINAL = ["done", "failed", "cancelled"];

const reading = new Reading(document.querySelector("#reading"), id);
const strips = new Strips(document.querySelector("#strips"), document.querySelector("#hint"), (page, engine) => {
  reading.open(page, engine);
});
strips.select(Number(article.dataset.page), article.dataset.engine);

addEventListener("popstate", () => {
  const query = new URLSearchParams(location.search);
  const page = Number(query.get("page")) || strips.first()?.page;
  const engine = query.get("engine") || strips.first()?.engine;
  if (page) {
    strips.select(page, engine);
    reading.open(page, engine, false);
  }
});

function showJob(job) {
  article.dataset.state = job.state;
  const state = document.querySelector("#job-state");
  state.dataset.state = job.state;
  state.querySelector("[data-part=word]").textContent = job.state;
  const { total, done, failed, cancelled } = job.counts;
  const parts = [];
  if (total) parts.push(`${done} of ${total} read`);
  if (failed) parts.push(`${failed} failed`);
  if (cancelled) parts.push(`${cancelled} cancelled`);
  if (!total) parts.push(job.state === "queued" ? "Waiting to be opened" : job.state === "running" ? "Opening the document" : "");
  document.querySelector("#progress").textContent = parts.join(", ");
}

// The end changes the buttons above; whoever reads a page below is not disturbed.
async function finish() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!response?.ok || !strips.first()) {
    location.reload();
    return;
  }
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  document.querySelector("#job-top").replaceWith(fresh.querySelector("#job-top"));
}

if (!FINAL.includes(article.dataset.state)) {
  follow(api, {
    snapshot({ job, pages }) {
      const wasEmpty = !strips.first();
      strips.fill(pages);
      showJob(job);
      if (wasEmpty && strips.first()) {
        const { page, engine } = strips.first();
        strips.select(page, engine);
        reading.open(page, engine, false);
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

const deletion = document.querySelector("#delete-dialog");
const again = document.querySelector("#again-dialog");
article.addEventListener("click", ({ target }) => {
  if (target.id === "delete") deletion.showModal();
  else if (target.id === "again") again.showModal();
  else if (target.id === "cancel") {
    target.disabled = true;
    attempt(() => ask("POST", `${api}/cancel`));
  }
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
form.addEventListener("change", () => {
  form.elements.engine.disabled = form.elements.from.value === "postprocess";
});
again.addEventListener("close", () => {
  if (again.returnValue !== "yes") return;
  again.returnValue = "";
  const fields = form.elements;
  const body = { pages: fields.pages.value.trim(), from: fields.from.value, reuse: fields.reuse.checked };
  if (!fields.engine.disabled) body.engine = fields.engine.value;
  attempt(async () => {
    const job = await ask("POST", `${api}/replay`, body);
    location.assign(`/jobs/${job.id}`);
  });
});

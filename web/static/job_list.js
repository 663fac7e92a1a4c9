// Keeps the rows of unfinished jobs up to date while somebody looks.
import { ask, repeat } from "./answers.js";
import { said } from "./sentences.js";
import { count, word } from "./words.js";

const EVERY_MILLISECONDS = 2500;
const OPEN = ["queued", "running"];

function show(row, job) {
  row.dataset.state = job.state;
  row.toggleAttribute("data-has-result", job.has_result);
  row.toggleAttribute("data-can-run-again", job.can_run_again);
  const state = row.querySelector(".state");
  state.dataset.state = job.state;
  state.lastChild.textContent = word(job.state);
  const { total, done, failed } = job.counts;
  row.querySelector("[data-part=pages]").textContent = total ? count("{n} page", "{n} pages", total / job.engine.split(",").length) : "";
  const thumb = row.querySelector(".thumb");
  if (thumb && done && !thumb.childElementCount) {
    const image = document.createElement("img");
    image.alt = "";
    image.src = `/api/v1/jobs/${job.id}/pages/1/image`;
    thumb.append(image);
  }
  const bar = row.querySelector("progress");
  bar.max = total || 1;
  bar.value = done + failed;
  bar.hidden = !OPEN.includes(job.state);
  if (job.failure && !row.querySelector(".reason")) {
    const reason = document.createElement("p");
    reason.className = "bad reason";
    reason.textContent = said(job.failure.message);
    row.append(reason);
  }
}

// A job may have no first page, and a page no picture yet.
addEventListener("error", ({ target }) => { if (target.closest?.(".thumb")) target.remove(); }, true);

const rows = () => [...document.querySelectorAll("[data-live-jobs] > [data-job]")].filter((row) => OPEN.includes(row.dataset.state));

if (rows().length) {
  repeat(async () => {
    for (const row of rows()) show(row, await ask("GET", `/api/v1/jobs/${row.dataset.job}`));
    return rows().length > 0;
  }, EVERY_MILLISECONDS);
}

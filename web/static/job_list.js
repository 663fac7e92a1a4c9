// Keeps the rows of unfinished jobs up to date while somebody looks.
import { ask, repeat } from "./answers.js";

const EVERY_MILLISECONDS = 2500;
const OPEN = ["queued", "running"];

function show(row, job) {
  row.dataset.state = job.state;
  const state = row.querySelector(".state");
  state.dataset.state = job.state;
  state.lastChild.textContent = job.state;
  const { total, done, failed } = job.counts;
  row.querySelector("[data-part=pages]").textContent = total ? `${total} page${total === 1 ? "" : "s"}` : "";
  const bar = row.querySelector("progress");
  bar.max = total || 1;
  bar.value = done + failed;
  bar.hidden = !OPEN.includes(job.state);
}

const rows = () => [...document.querySelectorAll("[data-live-jobs] > [data-job]")].filter((row) => OPEN.includes(row.dataset.state));

if (rows().length) {
  repeat(async () => {
    for (const row of rows()) show(row, await ask("GET", `/api/v1/jobs/${row.dataset.job}`));
    return rows().length > 0;
  }, EVERY_MILLISECONDS);
}

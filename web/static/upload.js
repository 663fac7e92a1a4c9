// Files that are dropped, chosen or pasted are sent at once, each in its own request.
import { ask, repeat, tell } from "./answers.js";
import { changedOptions, showOptions } from "./options.js";
import { said } from "./sentences.js";
import { word } from "./words.js";

const form = document.querySelector("#convert");
const picker = document.querySelector("#file");
const list = document.querySelector("#uploads");
const veil = document.querySelector("#veil");
const maxBytes = Number(form.dataset.maxBytes);
const waiting = [];
let sending = false;

picker.addEventListener("change", () => {
  const files = [...picker.files];
  picker.value = "";
  take(files);
});

let depth = 0; // dragenter and dragleave come for every element under the pointer
const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
const showVeil = (shown) => {
  veil.hidden = !shown;
  document.body.classList.toggle("dragging", shown);
};
addEventListener("dragenter", (event) => { if (hasFiles(event)) { depth += 1; showVeil(true); } });
addEventListener("dragleave", (event) => { if (hasFiles(event)) { depth = Math.max(0, depth - 1); showVeil(depth > 0); } });
addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  depth = 0;
  showVeil(false);
  take([...event.dataTransfer.files]);
});
addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length) take(files);
});

// Several engines at once: the same cards, as boxes to tick. `auto` chooses by itself and stands alone.
const several = document.querySelector("#several");
const cards = [...form.querySelectorAll("[name=engine]")];
const chosenEngines = () => cards.filter((card) => card.checked).map((card) => card.value);
if (several) {
  several.hidden = false;
  several.addEventListener("click", () => {
    const on = several.getAttribute("aria-pressed") !== "true";
    several.setAttribute("aria-pressed", String(on));
    const kept = chosenEngines()[0] ?? "auto";
    for (const card of cards) {
      card.type = on ? "checkbox" : "radio";
      card.checked = card.value === kept;
    }
    showOptions(form, chosenEngines());
  });
}
form.addEventListener("change", ({ target }) => {
  if (target.name === "engine" && target.checked) {
    for (const other of cards) if ((other.value === "auto") !== (target.value === "auto")) other.checked = false;
  }
  showOptions(form, chosenEngines());
});
showOptions(form, chosenEngines());

function take(files) {
  if (!files.length) return;
  const pages = form.elements.pages;
  if (!pages.checkValidity()) {
    pages.reportValidity();
    return;
  }
  const engines = chosenEngines();
  const options = changedOptions(form, engines);
  const fields = { engine: engines.join(",") || "auto", pages: pages.value.trim() };
  if (Object.keys(options).length) fields.options = JSON.stringify(options);
  const alone = files.length === 1 && !waiting.length && !sending;
  for (const file of files) waiting.push({ file, fields, alone, row: addRow(file) });
  next();
}

function addRow(file) {
  const row = document.createElement("li");
  const name = document.createElement("span");
  name.className = "upload-name";
  name.textContent = file.name;
  const state = document.createElement("span");
  state.className = "quiet";
  state.textContent = word("waiting");
  const bar = document.createElement("progress");
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", word("Upload of {name}", { name: file.name }));
  row.append(name, state, bar);
  list.append(row);
  return { row, name, state, bar };
}

function next() {
  if (sending || !waiting.length) return;
  const upload = waiting.shift();
  if (upload.file.size > maxBytes) {
    refuse(upload.row, word("The file is over the limit of {n} MiB.", { n: Math.round(maxBytes / 1048576) }));
    next();
    return;
  }
  sending = true;
  send(upload, () => { sending = false; next(); });
}

// XMLHttpRequest, because fetch does not say how far an upload is.
function send({ file, fields, alone, row }, done) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value) body.append(name, value);
  body.append("file", file);
  const request = new XMLHttpRequest();
  request.open("POST", "/api/v1/jobs");
  request.responseType = "json";
  request.upload.addEventListener("progress", (event) => {
    if (!event.lengthComputable) return;
    row.bar.value = event.loaded / event.total;
    row.state.textContent = event.loaded < event.total ? `${Math.floor((100 * event.loaded) / event.total)}%` : word("storing");
  });
  request.addEventListener("load", () => {
    const answer = request.response;
    if (request.status === 401) location.assign("/login");
    else if (request.status === 202) accept(row, answer.jobs[0], alone);
    else refuse(row, answer?.detail ? said(answer.detail) : word("The server answered {status}.", { status: request.status }));
  });
  request.addEventListener("error", () => refuse(row, word("The connection broke. Is the server running?")));
  request.addEventListener("loadend", done);
  request.send(body);
}

function accept(row, job, alone) {
  row.bar.hidden = true;
  if (alone) {
    location.assign(`/jobs/${job.id}`);
    return;
  }
  const link = document.createElement("a");
  link.className = "upload-name";
  link.href = `/jobs/${job.id}`;
  link.textContent = row.name.textContent;
  row.name.replaceWith(link);
  follow({ ...row, name: link }, job.id);
  row.state.textContent = word("accepted");
}

// What was accepted is followed where it stands, until it has ended.
const followed = new Map();

function follow(row, id) {
  if (!followed.size) repeat(look, 2000);
  followed.set(id, row);
}

async function look() {
  for (const [id, row] of followed) {
    const { state, counts, failure } = await ask("GET", `/api/v1/jobs/${id}`);
    row.state.textContent = word(state);
    row.state.className = "state";
    row.state.dataset.state = state;
    row.bar.hidden = !counts.total || !["queued", "running"].includes(state);
    row.bar.max = counts.total || 1;
    row.bar.value = counts.done + counts.failed;
    if (["queued", "running"].includes(state)) continue;
    followed.delete(id);
    if (failure) explain(row, said(failure.message));
  }
  return followed.size > 0;
}

function refuse(row, sentence) {
  row.bar.hidden = true;
  row.state.textContent = word("refused");
  explain(row, sentence);
  tell(sentence.includes(row.name.textContent) ? sentence : `${row.name.textContent}: ${sentence}`, true);
}

function explain(row, sentence) {
  row.row.classList.add("bad");
  const reason = document.createElement("p");
  reason.className = "bad";
  reason.textContent = sentence;
  row.row.append(reason);
}

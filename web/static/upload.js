// Files that are dropped, chosen or pasted are sent at once, each in its own request.
import { tell } from "./answers.js";

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

function take(files) {
  if (!files.length) return;
  const pages = form.elements.pages;
  if (!pages.checkValidity()) {
    pages.reportValidity();
    return;
  }
  const fields = { engine: form.elements.engine.value, pages: pages.value.trim() };
  const alone = files.length === 1 && !waiting.length && !sending;
  for (const file of files) waiting.push({ file, fields, alone, row: addRow(file) });
  next();
}

function addRow(file) {
  const row = document.createElement("li");
  const name = document.createElement("span");
  name.className = "upload-name";
  name.textContent = file.name;
  const word = document.createElement("span");
  word.className = "quiet";
  word.textContent = "waiting";
  const bar = document.createElement("progress");
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", `Upload of ${file.name}`);
  row.append(name, word, bar);
  list.append(row);
  return { row, name, word, bar };
}

function next() {
  if (sending || !waiting.length) return;
  const upload = waiting.shift();
  if (upload.file.size > maxBytes) {
    refuse(upload.row, `The file is over the limit of ${Math.round(maxBytes / 1048576)} MiB.`);
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
    row.word.textContent = event.loaded < event.total ? `${Math.floor((100 * event.loaded) / event.total)}%` : "storing";
  });
  request.addEventListener("load", () => {
    const answer = request.response;
    if (request.status === 401) location.assign("/login");
    else if (request.status === 202) accept(row, answer.jobs[0], alone);
    else refuse(row, answer?.detail ?? `The server answered ${request.status}.`);
  });
  request.addEventListener("error", () => refuse(row, "The connection broke. Is the server running?"));
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
  row.word.textContent = "accepted";
}

function refuse(row, sentence) {
  row.bar.hidden = true;
  row.word.textContent = "refused";
  row.row.classList.add("bad");
  const reason = document.createElement("p");
  reason.className = "bad";
  reason.textContent = sentence;
  row.row.append(reason);
  tell(`${row.name.textContent}: ${sentence}`, true);
}

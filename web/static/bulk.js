// Several jobs of the history at once.
import { ask, made, tell } from "./answers.js";
import { onKey } from "./keys.js";
import { count } from "./words.js";

const bar = document.querySelector("#bulk");
const dialog = document.querySelector("#bulk-dialog");
const boxes = () => [...document.querySelectorAll("input[name=job]")];
const isOpen = (row) => ["queued", "running"].includes(row.dataset.state);
const hasResult = (row) => "hasResult" in row.dataset;
const canRunAgain = (row) => "canRunAgain" in row.dataset;
const chosen = () => boxes().filter((box) => box.checked).map((box) => box.closest("[data-job]"));
let lastBox = null;

function show() {
  const rows = chosen();
  bar.hidden = !rows.length;
  bar.querySelector("[data-part=chosen]").textContent = count("{n} chosen", "{n} chosen", rows.length);
  const open = rows.filter(isOpen).length;
  bar.querySelector("[data-bulk=cancel]").disabled = !open;
  bar.querySelector("[data-bulk=delete]").disabled = open === rows.length;
  bar.querySelector("[data-bulk=again]").disabled = !rows.some(canRunAgain);
  bar.querySelector("[data-bulk=zip]").disabled = !rows.some(hasResult);
}

// One after the other; what one refuses does not keep the rest.
async function each(rows, work) {
  const refusals = [];
  for (const row of rows) {
    try {
      await work(row);
    } catch (error) {
      refusals.push(`${row.querySelector(".job-name").textContent}: ${error.message}`);
    }
  }
  if (refusals.length) tell(refusals.join(" "), true);
  return refusals.length === 0;
}

const api = (row) => `/api/v1/jobs/${row.dataset.job}`;
const acts = {
  zip: (rows) => each(rows.filter(hasResult), async (row) => {
    await made(`${api(row)}/result.md?`);
    const link = document.createElement("a");
    link.href = `${api(row)}/result.zip`;
    link.download = "";
    link.click();
    await new Promise((resolve) => setTimeout(resolve, 400)); // browsers drop downloads that come at once
  }),
  again: async (rows) => { if (await each(rows.filter(canRunAgain), (row) => ask("POST", `${api(row)}/replay`, {}))) location.assign("/jobs"); },
  cancel: async (rows) => {
    await each(rows.filter(isOpen), (row) => ask("POST", `${api(row)}/cancel`));
    location.reload();
  },
  // What still runs is not deleted: it is cancelled first.
  delete: (all) => {
    const rows = all.filter((row) => !isOpen(row));
    dialog.querySelector("[data-part=what]").textContent = rows.map((row) => row.querySelector(".job-name").textContent).slice(0, 8).join(", ") + (rows.length > 8 ? " …" : "");
    dialog.showModal();
  },
  none: (rows) => {
    for (const row of rows) row.querySelector("input[name=job]").checked = false;
    show();
  },
};

if (bar) {
  document.addEventListener("change", ({ target }) => { if (target.name === "job") show(); });
  document.addEventListener("click", (event) => {
    const { target } = event;
    if (target.name === "job") {
      const all = boxes();
      if (event.shiftKey && lastBox) {
        const [from, to] = [all.indexOf(lastBox), all.indexOf(target)].sort((a, b) => a - b);
        for (const box of all.slice(from, to + 1)) box.checked = target.checked;
        show();
      }
      lastBox = target;
    }
    const act = acts[target.dataset?.bulk];
    if (act) act(chosen());
  });
  dialog.addEventListener("close", async () => {
    if (dialog.returnValue !== "yes") return;
    dialog.returnValue = "";
    const rows = chosen().filter((row) => !isOpen(row));
    await each(rows, async (row) => {
      await ask("DELETE", api(row));
      row.remove();
    });
    show();
  });
  onKey("x", () => {
    const box = document.activeElement?.closest?.("[data-job]")?.querySelector("input[name=job]");
    if (box) box.click();
  });
  show();
}

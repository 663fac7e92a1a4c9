// One key, one act; never while somebody writes. A page adds its own with `onKey`.
const dialog = document.querySelector("#keys");
const acts = new Map([
  ["?", () => dialog.showModal()],
  ["u", () => location.assign("/")],
  ["h", () => location.assign("/jobs")],
  ["s", () => location.assign("/system")],
  ["/", () => {
    const search = document.querySelector("input[type=search]");
    if (search) search.focus();
    else location.assign("/jobs#search");
  }],
]);

export function onKey(key, act) {
  acts.set(key, act);
}

// A dialog that has just closed may keep the focus until the next frame; nobody writes there.
const isWriting = (target) =>
  !target.closest?.("dialog:not([open])") &&
  (target.isContentEditable || target.matches?.("input:not([type=checkbox], [type=radio]), textarea, select"));

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (isWriting(event.target) || document.querySelector("dialog[open]")) return;
  const act = acts.get(event.key);
  if (!act) return;
  event.preventDefault();
  act();
});

for (const button of document.querySelectorAll("[data-keys]")) {
  button.hidden = false;
  button.addEventListener("click", () => dialog.showModal());
}
if (location.hash === "#search") document.querySelector("input[type=search]")?.focus();

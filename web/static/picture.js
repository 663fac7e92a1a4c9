// The page's picture: zoom, and the blocks on it, tied to the text both ways.
const ZOOMS = [1, 1.25, 1.5, 2, 3, 4];
let zoom = 0; // kept from page to page
let boxesShown = true;
const hiddenKinds = new Set();

const ordersOf = (root, order) => root.querySelectorAll(`[data-order="${order}"]`);

export function prepare(root) {
  for (const box of root.querySelectorAll(".box")) {
    const [x0, y0, x1, y1] = box.dataset.bbox.split(" ").map(Number);
    box.style.left = `${100 * x0}%`;
    box.style.top = `${100 * y0}%`;
    box.style.width = `${100 * Math.max(x1 - x0, 0.002)}%`;
    box.style.height = `${100 * Math.max(y1 - y0, 0.002)}%`;
    box.style.zIndex = String(1000 - Math.round(900 * (x1 - x0) * (y1 - y0))); // small ones on top
  }
  for (const kind of hiddenKinds) switchKind(root, kind, false);
  showBoxes(root, boxesShown);
  setZoom(root, zoom);
}

export function setZoom(root, index) {
  zoom = Math.max(0, Math.min(ZOOMS.length - 1, index));
  const stage = root.querySelector(".stage");
  if (!stage) return;
  const view = root.querySelector(".picture");
  const [x, y] = [(view.scrollLeft + view.clientWidth / 2) / view.scrollWidth, (view.scrollTop + view.clientHeight / 2) / view.scrollHeight];
  stage.style.setProperty("--zoom", ZOOMS[zoom]);
  view.scrollTo(x * view.scrollWidth - view.clientWidth / 2, y * view.scrollHeight - view.clientHeight / 2);
  root.querySelector("[data-part=zoom]").textContent = `${100 * ZOOMS[zoom]}%`;
}

export const zoomBy = (root, step) => setZoom(root, step ? zoom + step : 0);

export function showBoxes(root, shown = !boxesShown) {
  boxesShown = shown;
  const boxes = root.querySelector(".boxes");
  if (!boxes) return;
  boxes.hidden = !shown;
  root.querySelector("[data-boxes]")?.setAttribute("aria-pressed", String(shown));
  const kinds = root.querySelector(".kinds");
  if (kinds) kinds.hidden = !shown;
}

export function switchKind(root, kind, on) {
  if (on) hiddenKinds.delete(kind);
  else hiddenKinds.add(kind);
  root.querySelector(`.kind[data-kind="${kind}"]`)?.setAttribute("aria-pressed", String(on));
  for (const box of root.querySelectorAll(`.box[data-type="${kind}"]`)) box.classList.toggle("off", !on);
}

export function light(root, order) {
  for (const lit of root.querySelectorAll(".lit")) lit.classList.remove("lit");
  if (order !== undefined) for (const one of ordersOf(root, order)) one.classList.add("lit");
}

// From the picture to the text, or from the text to the picture: the other one comes into view.
export function choose(root, order, from) {
  for (const one of root.querySelectorAll(".chosen")) one.classList.remove("chosen");
  for (const one of ordersOf(root, order)) {
    one.classList.add("chosen");
    const isBox = one.classList.contains("box");
    if (isBox !== from.classList.contains("box") && one.offsetParent) reveal(one, isBox);
  }
}

function reveal(element, isBox) {
  if (!isBox) return element.scrollIntoView({ block: "nearest" });
  const view = element.closest(".picture");
  const [box, frame] = [element.getBoundingClientRect(), view.getBoundingClientRect()];
  view.scrollBy(box.left + box.width / 2 - frame.left - frame.width / 2, box.top + box.height / 2 - frame.top - frame.height / 2);
}

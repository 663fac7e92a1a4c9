// How far a job is, in words: what is read, what stands before it, how long it will take.
import { ask, repeat } from "./answers.js";
import { count, word } from "./words.js";

const SURE_PAGES = 3; // fewer say little of the speed

export class Progress {
  constructor(place) {
    this.place = place;
    this.before = null;
    this.began = null;
  }

  // Until its first page is read, what stands before the job says more than its own counts.
  watch(api) {
    repeat(async () => {
      if (this.began || !this.job || !["queued", "running"].includes(this.job.state)) return !this.began;
      this.ahead(await ask("GET", `${api}/before`));
    }, 3000);
  }

  show(job) {
    this.job = job;
    this.draw();
  }

  ahead(queue) {
    this.before = queue;
    this.draw();
  }

  draw() {
    if (!this.job) return;
    const { state, counts } = this.job;
    const settled = counts.done + counts.failed + counts.cancelled;
    const parts = [];
    if (counts.total) parts.push(word("{done} of {total} read", { done: counts.done, total: counts.total }));
    if (counts.failed) parts.push(count("{n} page failed", "{n} pages failed", counts.failed));
    if (counts.cancelled) parts.push(word("{n} cancelled", { n: counts.cancelled }));
    if (!counts.total && state === "queued") parts.push(word("Waiting to be opened"));
    if (!counts.total && state === "running") parts.push(word("Opening the document"));
    if (["queued", "running"].includes(state)) {
      const rest = this.rest(settled, counts.total);
      if (rest) parts.push(rest);
      else if (this.before?.jobs) parts.push(count("{n} job before it", "{n} jobs before it", this.before.jobs) + (this.before.pages ? `, ${count("{n} page", "{n} pages", this.before.pages)}` : ""));
    }
    this.place.textContent = parts.join(" · ");
  }

  rest(settled, total) {
    const now = performance.now() / 1000;
    if (settled && !this.began) this.began = { settled, now };
    const done = this.began ? settled - this.began.settled : 0;
    if (done < SURE_PAGES || settled >= total) return "";
    const seconds = ((now - this.began.now) / done) * (total - settled);
    if (seconds < 60) return word("about {n} s left", { n: Math.max(1, Math.round(seconds)) });
    if (seconds < 5400) return word("about {n} min left", { n: Math.round(seconds / 60) });
    return word("about {n} h left", { n: Math.round(seconds / 3600) });
  }
}

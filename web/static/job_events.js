// The job's server-sent events. Closed while nobody looks: browsers allow six connections a server.
export function follow(api, handlers) {
  let source = null;

  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(`${api}/events`);
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        const data = JSON.parse(event.data);
        handle(data);
        const state = (data.job ?? data).state;
        if (name !== "page" && ["done", "failed", "cancelled"].includes(state)) close();
      });
    }
  };
  const close = () => {
    source?.close();
    source = null;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  open();
}

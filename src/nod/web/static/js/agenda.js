// The line that says now goes on: [data-now="x"] and its ends as instants in data-since, data-until.
const EVERY_MS = 20_000;

function move() {
  for (const line of document.querySelectorAll("[data-now]")) {
    const { now, since, until } = line.dataset;
    const share = (Date.now() - since) / (until - since);
    if (share <= 1) line.setAttribute(now, `${(100 * share).toFixed(2)}%`);
  }
}
setInterval(move, EVERY_MS);

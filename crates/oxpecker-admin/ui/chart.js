// Readings of the large charts, for pointer and arrow keys.

const pointsOf = (plot) => plot.dataset.points.split("\n").filter(Boolean).map((line) => {
  const at = line.indexOf("|");
  return { at: Number(line.slice(0, at)), text: line.slice(at + 1) };
});

// The moment that is read in each chart.
const readings = new WeakMap();

export function startCharts() {
  // An update redraws the chart: the reading stays at its moment.
  document.addEventListener("shown", () => {
    for (const plot of document.querySelectorAll("[data-chart]")) {
      const points = readings.has(plot) ? pointsOf(plot) : [];
      read(plot, points, points.findIndex((point) => point.at === readings.get(plot)));
    }
  });
  document.addEventListener("pointermove", (event) => {
    const plot = event.target.closest?.("[data-chart]");
    if (!plot) return;
    const box = plot.getBoundingClientRect();
    const part = (event.clientX - box.left) / box.width;
    const wanted = Number(plot.dataset.start) + part * Number(plot.dataset.span);
    const points = pointsOf(plot);
    let best = -1;
    for (let n = 0; n < points.length; n++) {
      if (best < 0 || Math.abs(points[n].at - wanted) < Math.abs(points[best].at - wanted)) best = n;
    }
    read(plot, points, best);
  });
  document.addEventListener("pointerout", (event) => {
    const plot = event.target.closest?.("[data-chart]");
    if (plot && !plot.contains(event.relatedTarget) && plot !== document.activeElement) clear(plot);
  });
  document.addEventListener("focusout", (event) => {
    if (event.target.matches?.("[data-chart]")) clear(event.target);
  });
  document.addEventListener("keydown", (event) => {
    const plot = event.target.matches?.("[data-chart]") ? event.target : null;
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -6, PageDown: 6 }[event.key];
    const points = plot ? pointsOf(plot) : [];
    if (!points.length) return;
    const last = points.length - 1;
    // Counted by its time: the points move on while one reads.
    const now = points.findIndex((point) => point.at === readings.get(plot));
    if (event.key === "Home") read(plot, points, 0);
    else if (event.key === "End") read(plot, points, last);
    else if (step) read(plot, points, Math.min(last, Math.max(0, (now < 0 ? last : now) + step)));
    else return;
    event.preventDefault();
  });
}

function read(plot, points, index) {
  if (index < 0) return;
  const { at, text } = points[index];
  const output = plot.closest("figure").querySelector("output");
  const part = (at - Number(plot.dataset.start)) / Number(plot.dataset.span);
  const x = (part * 900).toFixed(1);
  const cursor = plot.querySelector(".cursor");
  cursor.setAttribute("x1", x);
  cursor.setAttribute("x2", x);
  readings.set(plot, at);
  output.textContent = text;
}

function clear(plot) {
  plot.closest("figure").querySelector("output").textContent = "";
  const cursor = plot.querySelector(".cursor");
  cursor.setAttribute("x1", "-9");
  cursor.setAttribute("x2", "-9");
  readings.delete(plot);
}

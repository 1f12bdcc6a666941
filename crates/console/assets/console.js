// Draws the charts from the numbers in the page, anew whenever those change, and in the colours of the scheme in force.
"use strict";
(() => {
  const plots = new Map();
  // light-dark() is resolved only where it is used as a colour.
  const resolved = (name) => {
    const probe = document.createElement("i");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  };
  const short = (value) => (value == null ? "–" : value >= 100 || value === 0 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

  // A tick has as many digits as tell it from the next.
  const ticked = (_, ticks) => {
    const step = ticks.length > 1 ? ticks[1] - ticks[0] : 1;
    // As many digits as the step has: of 2.5, 5 and 7.5 none is rounded.
    const digits = [0, 1, 2].find((digits) => Number.isInteger(Number((step * 10 ** digits).toFixed(6)))) ?? 2;
    return ticks.map((tick) => tick.toFixed(tick === 0 ? 0 : digits));
  };

  // A line through one value is none: it is a point. Where nothing was measured around it, it would not be seen.
  const alone = (plot, at) => plot.data[at].flatMap((v, i, all) => (v != null && all[i - 1] == null && all[i + 1] == null ? [i] : []));

  const series = (line, open) => ({
    label: line.title,
    stroke: resolved(`--line-${line.colour}`),
    width: 1.75,
    points: { show: false, filter: alone, size: 5, fill: resolved(`--line-${line.colour}`) },
    spanGaps: false,
    // The last value is about a time that has not ended.
    dash: open ? [3, 4] : undefined,
  });

  // Each line twice: what has ended, and its last step dashed.
  const split = (values) => {
    const last = values.length - 1;
    return [values.map((v, i) => (i === last && last > 0 ? null : v)), values.map((v, i) => (i >= last - 1 ? v : null))];
  };

  // What is counted has no halves.
  const WHOLE = Array.from({ length: 10 }, (_, digits) => [1, 2, 5].map((first) => first * 10 ** digits)).flat();
  const counted = (unit) => unit !== "/s" && unit !== "ms";

  const draw = (place) => {
    const name = place.dataset.plot;
    const source = document.getElementById(`${name}-numbers`);
    if (!source || !source.textContent) return;
    const numbers = JSON.parse(source.textContent);
    const data = [numbers.times, ...numbers.lines.flatMap((line) => split(line.values))];
    const known = plots.get(name);
    if (known && known.place === place && known.lines === numbers.lines.length) {
      known.plot.setData(data);
    } else {
      if (known) known.plot.destroy();
      const zone = document.getElementById("main").dataset.zone;
      const [first, last] = [numbers.times[0], numbers.times.at(-1)];
      const clock = last - first > 1800 ? "{HH}:{mm}" : "{HH}:{mm}:{ss}";
      const axis = { stroke: resolved("--soft"), grid: { stroke: resolved("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
      const plot = new uPlot({
        width: place.clientWidth,
        height: place.clientHeight,
        legend: { show: false },
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
        cursor: { y: false },
        // The last time stands under the end of its line.
        padding: [8, 30, 0, 0],
        scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
        axes: [{ ...axis, size: 30, space: 84, values: clock }, { ...axis, size: 52, values: ticked, ...(counted(numbers.unit) ? { incrs: WHOLE } : {}) }],
        series: [{}, ...numbers.lines.flatMap((line) => [series(line, false), series(line, true)])],
      }, data, place);
      plots.set(name, { plot, place, lines: numbers.lines.length });
    }
    const legend = document.getElementById(`${name}-legend`);
    if (legend) {
      const cursor = plots.get(name).plot.cursor.idx;
      numbers.lines.forEach((line, i) => {
        const shown = legend.children[i] && legend.children[i].querySelector("b");
        const at = cursor ?? line.values.length - 1;
        if (shown) shown.textContent = short(line.values[at]);
      });
    }
  };
  const all = () => document.querySelectorAll("[data-plot]").forEach(draw);
  const anew = () => {
    plots.forEach(({ plot }) => plot.destroy());
    plots.clear();
    all();
  };

  // On a phone the screens' names are a row that is longer than the page.
  const screens = document.querySelector(".screens");
  const here = screens?.querySelector("[aria-current]");
  if (here) screens.scrollLeft = here.offsetLeft - (screens.clientWidth - here.offsetWidth) / 2;

  all();
  new MutationObserver((changes) => {
    const changed = new Set(changes.map(({ target }) => target.closest?.(".numbers") || target.parentElement?.closest(".numbers")).filter(Boolean));
    changed.forEach(({ id }) => document.querySelectorAll(`[data-plot="${CSS.escape(id.replace(/-numbers$/, ""))}"]`).forEach(draw));
  }).observe(document.getElementById("main"), { subtree: true, childList: true, characterData: true });
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    plots.forEach(({ plot, place }) => plot.setSize({ width: place.clientWidth, height: place.clientHeight }));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", anew);
})();

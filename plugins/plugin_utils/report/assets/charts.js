"use strict";
// Lines over time, drawn as SVG: window.vellaricCharts.drawAll(holder, series, from).
(function () {
  const SVG = "http://www.w3.org/2000/svg";
  const charts = [
    ["cpu_percent", "CPU", "series-3", percent, [1, 2, 5, 10]],
    ["connections", "Connections", "series-1", (value) => String(Math.round(value)), [1, 2, 5, 10]],
    ["memory_bytes", "Memory", "series-4", bytes, [1, 2, 4, 8]],
    ["size_bytes", "Size on disk", "series-2", bytes, [1, 2, 4, 8]],
    ["disk_percent", "Disk in use", "series-6", percent, [1, 2, 5, 10]],
    ["transactions_per_second", "Transactions a second", "series-5", count, [1, 2, 5, 10]],
  ];
  function percent(value) {
    return (value >= 10 || value % 1 === 0 ? value.toFixed(0) : value.toFixed(1)) + "%";
  }
  function bytes(value) {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let unit = 0;
    while (value >= 1024 && unit < units.length - 1) {
      value /= 1024;
      unit += 1;
    }
    return (value < 10 && value % 1 ? value.toFixed(1) : value.toFixed(0)) + " " + units[unit];
  }
  function count(value) {
    return value >= 10000 ? (value / 1000).toFixed(0) + "k" : value >= 10 || value % 1 === 0 ? value.toFixed(0) : value.toFixed(1);
  }
  // The least round figure that is a fourth of all or more: four lines then hold the greatest.
  function step(top, rounds) {
    const base = rounds.includes(4) ? 1024 ** Math.floor(Math.log(Math.max(top / 4, 1)) / Math.log(1024)) : 0;
    if (base) {
      const least = top / 4 / base;
      return base * 2 ** Math.ceil(Math.log2(least));
    }
    const ten = 10 ** Math.floor(Math.log10(top / 4));
    return ten * rounds.find((round) => round * ten >= top / 4 - 1e-9);
  }
  function element(name, attributes, text) {
    const made = document.createElementNS(SVG, name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    if (text !== undefined) {
      made.textContent = text;
    }
    return made;
  }
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
  const both = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  function points(series, key, from) {
    return series.at.map((at, place) => ({ at: at, value: series[key][place] })).filter((each) => each.at >= from);
  }
  // A line ends where nothing was recorded: where two samples are much further apart than those around them.
  const GAP = 6;
  const GAP_SECONDS = 120;
  function stretches(known) {
    const apart = known.map((each, place) => (place ? each.at - known[place - 1].at : undefined));
    const isGap = (place) =>
      apart[place] > GAP_SECONDS &&
      [apart[place - 1], apart[place + 1]].every((near) => near === undefined || apart[place] > near * GAP) &&
      known.length > 2;
    const found = [[]];
    known.forEach((each, place) => {
      if (place && (each.broken || isGap(place))) {
        found.push([]);
      }
      found[found.length - 1].push(each);
    });
    return found;
  }
  function draw(figure, series, from, [key, title, colour, write, rounds]) {
    const svg = figure.querySelector("svg");
    const taken = points(series, key, from);
    taken.forEach((each, place) => {
      each.broken = place > 0 && taken[place - 1].value === null;
    });
    const known = taken.filter((each) => each.value !== null);
    const width = Math.max(220, svg.clientWidth || 330);
    const box = { left: 52, right: width - 8, top: 12, bottom: 126 };
    const output = figure.querySelector("output");
    const enough = known.length > 1;
    svg.replaceChildren();
    svg.setAttribute("viewBox", "0 0 " + width + " 150");
    svg.hidden = !enough;
    figure.querySelector(".nothing").hidden = enough;
    if (!enough) {
      output.textContent = known.length ? write(known[0].value) : "";
      figure.querySelector(".nothing").textContent = known.length
        ? "One sample so far. Each report adds one."
        : "Nothing recorded in this time.";
      return;
    }
    const [first, last] = [known[0].at, known[known.length - 1].at];
    const most = Math.max(...known.map((each) => each.value), key === "connections" ? 4 : key.endsWith("_bytes") ? 1024 : 1);
    const unit = step(most, rounds);
    const top = Math.max(1, Math.ceil(most / unit - 1e-9)) * unit;
    const x = (at) => box.left + ((at - first) / (last - first)) * (box.right - box.left);
    const y = (value) => box.bottom - (value / top) * (box.bottom - box.top);
    for (let line = 0; line * unit <= top * 1.001; line += 1) {
      svg.append(element("line", { class: "grid", x1: box.left, x2: box.right, y1: y(line * unit), y2: y(line * unit) }));
      svg.append(element("text", { class: "label", x: box.left - 6, y: y(line * unit) + 4, "text-anchor": "end" }, write(line * unit)));
    }
    const words = last - first > 2 * 86400 ? day : last - first > 20 * 3600 ? both : clock;
    const places = words === both ? 3 : 4;
    for (let place = 0; place < places; place += 1) {
      const at = first + ((last - first) * place) / (places - 1);
      const anchor = place === 0 ? "start" : place === places - 1 ? "end" : "middle";
      svg.append(element("text", { class: "label", x: x(at), y: 144, "text-anchor": anchor }, words.format(at * 1000)));
    }
    stretches(known).forEach((stretch) => {
      const path = stretch.map((each) => x(each.at).toFixed(1) + " " + y(each.value).toFixed(1)).join(" L ");
      const ends = [x(stretch[0].at), x(stretch[stretch.length - 1].at)];
      svg.append(element("path", { class: "area", d: "M " + ends[0] + " " + box.bottom + " L " + path + " L " + ends[1] + " " + box.bottom + " Z", fill: "var(--" + colour + ")" }));
      svg.append(element("path", { class: "line", d: "M " + path + (stretch.length === 1 ? " h 1" : ""), stroke: "var(--" + colour + ")" }));
    });
    const cursor = element("g", { visibility: "hidden" });
    const upright = element("line", { class: "cursor", y1: box.top, y2: box.bottom });
    const dot = element("circle", { r: 3.5, fill: "var(--" + colour + ")" });
    cursor.append(upright, dot);
    svg.append(cursor);

    const values = known.map((each) => each.value);
    const text = title + ", now " + write(values[values.length - 1]) + ", least " + write(Math.min(...values)) + ", most " + write(Math.max(...values));
    const newest = known.length - 1;
    let at = newest;
    svg.setAttribute("aria-label", text + ". Arrow keys go through the samples.");
    svg.setAttribute("aria-valuemin", 0);
    svg.setAttribute("aria-valuemax", newest);
    function point(place) {
      at = Math.max(0, Math.min(newest, place));
      const each = known[at];
      const words = write(each.value) + " at " + both.format(each.at * 1000);
      upright.setAttribute("x1", x(each.at));
      upright.setAttribute("x2", x(each.at));
      dot.setAttribute("cx", x(each.at));
      dot.setAttribute("cy", y(each.value));
      cursor.setAttribute("visibility", "visible");
      output.textContent = words;
      svg.setAttribute("aria-valuenow", at);
      svg.setAttribute("aria-valuetext", words);
    }
    function rest() {
      at = newest;
      cursor.setAttribute("visibility", "hidden");
      output.textContent = write(values[newest]);
      svg.setAttribute("aria-valuenow", newest);
      svg.setAttribute("aria-valuetext", write(values[newest]));
    }
    svg.onpointermove = (event) => {
      const where = ((event.clientX - svg.getBoundingClientRect().left) * width) / svg.clientWidth;
      const wanted = first + ((where - box.left) / (box.right - box.left)) * (last - first);
      const distance = (each) => Math.abs(each.at - wanted);
      point(known.reduce((best, each, place) => (distance(each) < distance(known[best]) ? place : best), 0));
    };
    svg.onpointerleave = rest;
    svg.onblur = rest;
    svg.onkeydown = (event) => {
      const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: newest, PageUp: at - 10, PageDown: at + 10 }[event.key];
      if (to !== undefined) {
        event.preventDefault();
        point(to);
      }
    };
    rest();
  }
  function figure(chart) {
    const made = document.createElement("figure");
    made.className = "chart";
    made.dataset.chart = chart[0];
    const caption = document.createElement("figcaption");
    const nothing = document.createElement("p");
    nothing.className = "nothing";
    caption.append(chart[1], document.createElement("output"));
    made.append(caption, element("svg", { role: "slider", tabindex: "0", "aria-readonly": "true" }), nothing);
    return made;
  }
  // series: columns as history.series has them. from: seconds since 1970.
  function drawAll(holder, series, from) {
    if (!holder.querySelector("figure")) {
      holder.replaceChildren(...charts.map(figure));
    }
    charts.forEach((chart, place) => draw(holder.children[place], series, from, chart));
  }
  window.vellaricCharts = { drawAll: drawAll };
})();

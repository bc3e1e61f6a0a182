"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const find = (selector, within) => (within || document).querySelector(selector);
  const all = (selector, within) => Array.from((within || document).querySelectorAll(selector));

  // What a person has chosen outlives a refresh (session) or the visit (local). Some browsers keep nothing for files.
  function remember(area, key, value) {
    try {
      window[area].setItem("vellaric-" + key, value);
    } catch (error) {
      // The choice holds until the page is left.
    }
  }
  function recall(area, key) {
    try {
      return window[area].getItem("vellaric-" + key);
    } catch (error) {
      return null;
    }
  }

  // Light and dark
  const themes = ["system", "light", "dark"];
  const themeButton = find("#theme");
  function showTheme() {
    const theme = root.dataset.theme || "system";
    themeButton.textContent = "Theme: " + theme;
    themeButton.setAttribute("aria-label", "Theme: " + theme + ". Change it.");
  }
  themeButton.hidden = false;
  themeButton.addEventListener("click", () => {
    const next = themes[(themes.indexOf(root.dataset.theme || "system") + 1) % themes.length];
    if (next === "system") {
      delete root.dataset.theme;
    } else {
      root.dataset.theme = next;
    }
    remember("localStorage", "theme", next);
    showTheme();
  });
  showTheme();

  // How old the page is, and its refresh
  const MISSED = 5;
  const liveButton = find("#live");
  let live = recall("sessionStorage", "live") !== "off";
  const opened = Date.now();
  function span(seconds) {
    for (const [length, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
      if (seconds >= length) {
        return Math.floor(seconds / length) + " " + unit;
      }
    }
    return Math.max(0, Math.floor(seconds)) + " s";
  }
  function tick() {
    const age = Date.now() / 1000 - data.at;
    find("#age").textContent = age < 5 ? "(just now)" : "(" + span(age) + " ago)";
    if (!data.refresh) {
      return;
    }
    const ended = age > data.refresh * MISSED + 10;
    find("#stale").hidden = !ended;
    if (live && !ended && Date.now() - opened >= data.refresh * 1000) {
      remember("sessionStorage", "scroll", String(window.scrollY));
      location.reload();
    }
  }
  if (liveButton) {
    const showLive = () => {
      liveButton.setAttribute("aria-pressed", String(live));
      find(".text", liveButton).textContent = live ? "Live, every " + data.refresh + " s" : "Paused";
    };
    liveButton.hidden = false;
    liveButton.addEventListener("click", () => {
      live = !live;
      remember("sessionStorage", "live", live ? "on" : "off");
      showLive();
    });
    showLive();
  }
  setInterval(tick, 1000);
  tick();

  const overview = find("#overview");
  if (!overview) {
    return;
  }

  // Sorting: the order of the sections follows the table's.
  const rows = all("tbody tr", overview);
  const headings = all("thead th", overview);
  const sections = all("details.database");
  const collator = new Intl.Collator("en", { numeric: true });
  const sortSelect = find("#sort");
  const keys = headings.map((heading) => heading.dataset.key);
  let sorted = { key: "name", down: false };
  function value(row, key) {
    return row.cells[keys.indexOf(key)].dataset.sort;
  }
  function sortBy(key, down) {
    sorted = { key: key, down: down };
    const sign = down ? -1 : 1;
    const numeric = rows.every((row) => value(row, key) !== "" && !isNaN(value(row, key)));
    rows.sort((one, other) => {
      const [a, b] = [value(one, key), value(other, key)];
      return sign * (numeric ? a - b : collator.compare(a, b)) || collator.compare(value(one, "name"), value(other, "name"));
    });
    rows.forEach((row) => row.parentNode.append(row));
    rows.forEach((row) => sections[0].parentNode.append(find("#" + row.dataset.of)));
    headings.forEach((heading) => {
      if (heading.dataset.key === key) {
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      } else {
        heading.removeAttribute("aria-sort");
      }
    });
    sortSelect.value = key;
    remember("sessionStorage", "sort", JSON.stringify(sorted));
  }
  // What is much is what one looks for: figures begin with the greatest.
  const greatestFirst = ["size", "connections", "cpu", "memory", "backup", "uptime"];
  headings.forEach((heading) => {
    const key = heading.dataset.key;
    find("button", heading).addEventListener("click", () => {
      sortBy(key, sorted.key === key ? !sorted.down : greatestFirst.includes(key));
    });
  });
  sortSelect.addEventListener("change", () => sortBy(sortSelect.value, greatestFirst.includes(sortSelect.value)));

  // Filtering
  const filters = find("#filters");
  const fields = ["search", "environment", "host", "status", "severity"].map((id) => find("#" + id));
  const ranks = { critical: 3, warning: 2, info: 1, "": 0 };
  function matches(row, wanted) {
    const words = wanted.search.toLowerCase().split(/\s+/);
    return (
      words.every((word) => row.dataset.words.includes(word)) &&
      ["environment", "host", "status"].every((key) => !wanted[key] || row.dataset[key] === wanted[key]) &&
      ranks[row.dataset.severity] >= ranks[wanted.severity]
    );
  }
  function filter() {
    const wanted = Object.fromEntries(fields.map((field) => [field.id, field.value]));
    const shown = new Set(rows.filter((row) => matches(row, wanted)).map((row) => row.dataset.of));
    all("[data-of]").forEach((element) => {
      element.hidden = !shown.has(element.dataset.of);
    });
    const findings = all("#attention .finding");
    find("#count").textContent = shown.size + " of " + rows.length + (rows.length === 1 ? " database" : " databases");
    find("#no-databases").hidden = shown.size > 0;
    overview.hidden = shown.size === 0;
    if (findings.length) {
      find("#no-findings").hidden = findings.some((each) => !each.hidden);
      all("#attention .more").forEach((more) => {
        const left = all(".finding", more).filter((each) => !each.hidden).length;
        more.hidden = left === 0;
        find("summary", more).textContent = left + " more";
      });
    }
    find("#reset").hidden = !Object.values(wanted).some((each) => each);
    remember("sessionStorage", "filters", JSON.stringify(wanted));
  }
  filters.hidden = false;
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("input", filter);
  filters.addEventListener("reset", () => setTimeout(() => {
    sortSelect.value = sorted.key;
    filter();
  }));

  // Charts
  const SVG = "http://www.w3.org/2000/svg";
  const charts = [
    ["cpu_percent", "CPU", "series-3", percent, [1, 2, 5, 10]],
    ["connections", "Connections", "series-1", (value) => String(Math.round(value)), [1, 2, 5, 10]],
    ["memory_bytes", "Memory", "series-4", bytes, [1, 2, 4, 8]],
    ["size_bytes", "Size on disk", "series-2", bytes, [1, 2, 4, 8]],
    ["disk_percent", "Disk in use", "series-6", percent, [1, 2, 5, 10]],
    ["transactions_per_second", "Transactions a second", "series-5", count, [1, 2, 5, 10]],
  ];
  let range = Number(recall("sessionStorage", "range") || 86400);
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
  function points(series, key) {
    const from = range ? data.at - range : -Infinity;
    return series.at.map((at, place) => ({ at: at, value: series[key][place] })).filter((each) => each.at >= from);
  }
  // Of the usual distance between two samples, so much is a time in which nothing was recorded.
  const GAP = 6;
  function stretches(known) {
    const distances = known.slice(1).map((each, place) => each.at - known[place].at).sort((a, b) => a - b);
    const usual = distances.length ? distances[Math.floor(distances.length / 2)] : 0;
    const found = [[]];
    known.forEach((each, place) => {
      if (place && (each.broken || each.at - known[place - 1].at > usual * GAP)) {
        found.push([]);
      }
      found[found.length - 1].push(each);
    });
    return found;
  }
  function draw(figure, series, [key, title, colour, write, rounds]) {
    const svg = find("svg", figure);
    const taken = points(series, key);
    taken.forEach((each, place) => {
      each.broken = place > 0 && taken[place - 1].value === null;
    });
    const known = taken.filter((each) => each.value !== null);
    const width = Math.max(220, svg.clientWidth || 330);
    const box = { left: 52, right: width - 8, top: 12, bottom: 126 };
    const output = find("output", figure);
    const enough = known.length > 1;
    svg.replaceChildren();
    svg.setAttribute("viewBox", "0 0 " + width + " 150");
    svg.hidden = !enough;
    find(".nothing", figure).hidden = enough;
    if (!enough) {
      output.textContent = known.length ? write(known[0].value) : "";
      find(".nothing", figure).textContent = known.length
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
  function drawAll(section) {
    const holder = find(".charts", section);
    const series = data.series[holder.dataset.charts];
    if (!holder.querySelector("figure")) {
      holder.replaceChildren();
      charts.forEach((chart) => {
        const figure = document.createElement("figure");
        figure.className = "chart";
        figure.dataset.chart = chart[0];
        const caption = document.createElement("figcaption");
        const output = document.createElement("output");
        const svg = element("svg", { role: "slider", tabindex: "0", "aria-readonly": "true" });
        const nothing = document.createElement("p");
        nothing.className = "nothing";
        caption.append(chart[1], output);
        figure.append(caption, svg, nothing);
        holder.append(figure);
      });
    }
    charts.forEach((chart, place) => draw(holder.children[place], series, chart));
  }
  const drawOpen = () => sections.filter((section) => section.open).forEach(drawAll);
  find(".ranges").hidden = false;
  function setRange(seconds) {
    range = seconds;
    remember("sessionStorage", "range", String(seconds));
    all(".ranges button").forEach((button) => {
      button.setAttribute("aria-pressed", String(Number(button.dataset.range) === seconds));
    });
    drawOpen();
  }
  all(".ranges button").forEach((button) => button.addEventListener("click", () => setRange(Number(button.dataset.range))));
  let resized = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(resized);
    resized = requestAnimationFrame(drawOpen);
  });

  // Sections
  const expand = find("#expand");
  function showExpand() {
    expand.textContent = sections.every((section) => section.open) ? "Close all" : "Open all";
  }
  expand.hidden = false;
  expand.addEventListener("click", () => {
    const open = !sections.every((section) => section.open);
    sections.forEach((section) => {
      section.open = open;
    });
  });
  sections.forEach((section) => section.addEventListener("toggle", () => {
    if (section.open) {
      drawAll(section);
    }
    showExpand();
    remember("sessionStorage", "open", JSON.stringify(sections.filter((each) => each.open).map((each) => each.id)));
  }));
  function follow(behavior) {
    const section = sections.find((each) => "#" + each.id === location.hash);
    if (section) {
      section.open = true;
      section.scrollIntoView(behavior ? { behavior: behavior } : {});
    }
  }
  window.addEventListener("hashchange", () => follow());
  // A second click on the same link changes no address.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#database-']");
    if (link && link.hash === location.hash) {
      follow();
    }
  });
  window.addEventListener("beforeprint", () => sections.forEach((section) => {
    section.open = true;
    drawAll(section);
  }));

  // As it was before the refresh
  const scroll = recall("sessionStorage", "scroll");
  try {
    const wanted = JSON.parse(recall("sessionStorage", "filters") || "{}");
    fields.forEach((field) => {
      field.value = wanted[field.id] || "";
    });
    const open = JSON.parse(recall("sessionStorage", "open") || "null");
    if (open) {
      sections.forEach((section) => {
        section.open = open.includes(section.id);
      });
    }
    const order = JSON.parse(recall("sessionStorage", "sort") || "null");
    sortBy(order && keys.includes(order.key) ? order.key : "name", Boolean(order && order.down));
  } catch (error) {
    sortBy("name", false);
  }
  filter();
  setRange(range);
  showExpand();
  if (scroll) {
    remember("sessionStorage", "scroll", "");
    window.scrollTo({ top: Number(scroll), behavior: "instant" });
  } else {
    follow("instant");
  }
})();

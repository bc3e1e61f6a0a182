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
    // Not while somebody types or chooses, nor while nobody looks.
    const busy = document.hidden || /^(INPUT|SELECT)$/.test(document.activeElement.tagName);
    if (live && !ended && !busy && Date.now() - opened >= data.refresh * 1000) {
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
  const charts = window.vellaricCharts;
  let range = Number(recall("sessionStorage", "range") || 86400);
  const drawAll = (section) => {
    const holder = find(".charts", section);
    charts.drawAll(holder, data.series[holder.dataset.charts], range ? data.at - range : -Infinity);
  };
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

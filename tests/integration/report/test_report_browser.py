# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboard in a real browser: twenty databases on three hosts, a week of history, and hostile text among it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.vellaric.postgres.plugins.plugin_utils.report import fleet as fleets
from ansible_collections.vellaric.postgres.plugins.plugin_utils.report import history, page
from ansible_collections.vellaric.postgres.tests.unit import fleets as samples

sys.path.insert(0, str(Path(__file__).resolve().parent))

from browser import PHONE, Browser  # noqa: E402

SHOP = "#database-18"
# The contrast of each text with what is behind it, as WCAG 2 counts it; those below what AA wants.
CONTRAST = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const parsed = colour => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
};
const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
const luminance = c => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
  const v = c[i] / 255; return sum + weight * (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
}, 0);
const behind = e => {
  const layers = [];
  for (let at = e; at; at = at.parentElement) {
    const colour = parsed(getComputedStyle(at).backgroundColor);
    layers.push(colour);
    if (colour[3] === 1) break;
  }
  return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
};
const poor = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const e = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !e.checkVisibility() || e.closest('.hidden, script, style, option')) continue;
  const style = getComputedStyle(e), ground = behind(e);
  const ink = over(parsed(e instanceof SVGElement ? style.fill : style.color), ground);
  const [a, b] = [luminance(ink), luminance(ground)].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.7 && style.fontWeight >= 700);
  if (ratio < (large ? 3 : 4.5)) poor.push(walker.currentNode.data.trim().slice(0, 30) + ' ' + ratio.toFixed(2));
}
return [...new Set(poor)];
"""


@pytest.fixture(scope="module")
def browser():
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Pages as files: of the twenty, of one that is refreshed, of none."""
    root, now = tmp_path_factory.mktemp("pages"), time.time()
    silent = {"docker4.example.com": {"unreachable": True, "msg": "Connection refused"}}
    answers = {**samples.answers(now), **silent}
    entries = history.thinned(history.parse(samples.history(days=8, step=1800, now=now)), now, 90)

    def write(name, answers, entries=(), **more):
        path = root / f"{name}.html"
        path.write_text(page.render(fleets.from_answers(answers, now), list(entries), "PostgreSQL databases", **more))
        return path

    return {
        "twenty": write("twenty", answers, entries),
        "live": write("live", answers, entries, refresh=3),
        "new": write("new", {"docker1": {"databases": [samples.database(0)]}}),
        "empty": write("empty", {"docker1": {"databases": []}}),
    }


def test_it_loads_nothing_and_nothing_goes_wrong(browser, pages):
    browser.open(pages["twenty"])
    browser.click("#expand")
    assert browser.count("details.database[open]") == 20
    browser.eventually("return document.querySelectorAll('figure.chart').length === 120")
    assert browser.complaints() == []
    assert browser.requests() == []


def test_hostile_texts_are_shown_and_do_nothing(browser, pages):
    browser.open(pages["twenty"])
    browser.click("#expand")
    assert any("</script><script>window.hostile = 1" in text for text in browser.texts(".queries code"))
    assert any("<img src=x onerror=" in text for text in browser.texts("#attention .message"))
    assert browser.run("return typeof window.hostile") == "undefined"
    assert browser.count("img") == 0
    # Should a text ever come to be HTML, the page's policy keeps it from running and from loading.
    browser.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hostile = 3\">')")
    browser.run(
        "const s = document.createElement('script'); s.textContent = 'window.hostile = 4'; document.body.append(s)"
    )
    browser.run("return fetch('https://example.com/').catch(() => null)")
    assert browser.run("return typeof window.hostile") == "undefined"
    assert any("Content Security Policy" in message for message in browser.complaints())


def test_what_is_on_top(browser, pages):
    browser.open(pages["twenty"])
    assert browser.run("return document.title") == "PostgreSQL databases"
    tiles = dict(zip(browser.texts(".tile .name"), browser.texts(".tile .value")))
    assert (tiles["Databases"], tiles["Findings"], tiles["Backed up"]) == ("20", "5", "19 of 20")
    severities = browser.texts("#attention .finding > .badge")
    assert severities == ["critical"] * 2 + ["warning"] * 2 + ["info"]
    assert browser.texts(".notice.critical")[0].startswith("docker4.example.com is not in this report")
    assert browser.count(".places .chip") == 20
    assert browser.texts(".places tbody tr")[-1].split(maxsplit=1) == ["docker4.example.com", "could not be asked"]
    order = (
        "return [...document.querySelectorAll('main > section, main > form')].map(e => e.getBoundingClientRect().top)"
    )
    assert browser.run(order) == sorted(browser.run(order))


def test_charts_show_the_history(browser, pages):
    browser.open(pages["twenty"], fragment=SHOP)
    browser.eventually(f"return document.querySelectorAll('{SHOP} figure.chart path.line').length === 6")
    data = json.loads(browser.run("return document.getElementById('data').textContent"))
    series = data["series"][SHOP[1:]]
    day = [value for at, value in zip(series["at"], series["cpu_percent"]) if at >= data["at"] - 86400]
    drawn = browser.run(f"return document.querySelector('{SHOP} [data-chart=cpu_percent] .line').getAttribute('d')")
    heights = [float(point.split()[1]) for point in drawn[2:].split(" L ")]
    assert len(heights) == len(day)
    # The greatest is highest up, the least is lowest.
    assert heights.index(min(heights)) == day.index(max(day))
    assert heights.index(max(heights)) == day.index(min(day))
    label = browser.run(
        f"return document.querySelector('{SHOP} [data-chart=cpu_percent] svg').getAttribute('aria-label')"
    )
    assert label.startswith("CPU, now ")


def test_the_time_that_charts_show_can_be_chosen(browser, pages):
    browser.open(pages["twenty"], fragment=SHOP)
    points = (
        f"return document.querySelector('{SHOP} [data-chart=size_bytes] .line')?.getAttribute('d').split('L').length"
    )
    day = browser.eventually(points)
    browser.click("[data-range='604800']")
    week = browser.run(points)
    assert week > day
    assert browser.texts("[data-range][aria-pressed=true]") == ["7 d"]
    browser.click("[data-range='0']")
    assert browser.run(points) >= week


def test_charts_can_be_read_with_the_keyboard(browser, pages):
    browser.open(pages["twenty"], fragment=SHOP)
    chart = f"{SHOP} [data-chart=connections] svg"
    browser.eventually(f"return document.querySelector('{chart}')")
    browser.run(f"document.querySelector('{chart}').focus()")
    value = f"return document.querySelector('{chart}').getAttribute('aria-valuetext')"
    assert " at " not in browser.run(value)
    browser.press("ArrowLeft")
    assert " at " in browser.run(value)
    before = browser.run(value)
    browser.press("Home")
    assert browser.run(value) != before
    assert browser.texts(f"{SHOP} [data-chart=connections] output") == [browser.run(value)]


def test_a_chart_without_a_past_says_so(browser, pages):
    browser.open(pages["new"])
    assert browser.eventually("return document.querySelectorAll('figure.chart').length === 6")
    assert set(browser.texts("figure.chart .nothing")) == {"Nothing recorded in this time."}
    assert browser.complaints() == []


def test_gauges_are_as_full_as_what_they_show(browser, pages):
    browser.open(pages["twenty"], fragment=SHOP)
    names = browser.texts(f"{SHOP} .gauge .name")
    assert names == ["Connections", "Memory", "CPU", "Disk", "Cache hits"]
    dashes = "map(e => parseFloat(e.getAttribute('stroke-dasharray')))"
    arcs = browser.run(f"return [...document.querySelectorAll('{SHOP} .gauge .arc')].{dashes}")
    assert arcs[0] == round(100 * 3 / 97, 1) and arcs[3] == 50


def test_filters(browser, pages):
    browser.open(pages["twenty"])

    def names():
        return browser.texts("#overview tbody th")

    assert browser.texts("#count") == ["20 of 20 databases"]
    browser.choose("#environment", "staging")
    assert set(names()) == {"forum", "reviews", "tickets", "media"}
    # The sections, the findings and the plan of hosts follow.
    assert set(browser.texts("details.database h3")) == set(names())
    assert browser.texts("#attention .finding a") == ["reviews"]
    assert {text.split()[0] for text in browser.texts(".places .chip")} == set(names())
    browser.choose("#host", "docker1.example.com")
    assert set(names()) == {"forum", "media"}
    browser.click("#reset")
    browser.eventually("return document.querySelector('#count').textContent === '20 of 20 databases'")
    browser.choose("#severity", "warning")
    assert set(names()) == {"reviews", "shop", "sessions", "wiki"}
    browser.choose("#severity", "")
    browser.choose("#status", "stopped")
    assert set(names()) == {"inventory", "search"}
    browser.choose("#status", "")
    browser.choose("#search", "docker2 PAY")
    assert names() == ["payments"]
    browser.choose("#search", "no such thing")
    assert names() == [] and browser.texts("#no-databases") == ["No database is like that."]
    assert browser.texts("#count") == ["0 of 20 databases"]
    assert browser.complaints() == []


def test_sorting(browser, pages):
    browser.open(pages["twenty"])

    def column(number):
        return browser.texts(f"#overview tbody tr > :nth-child({number})")

    assert column(1) == sorted(samples.NAMES)
    browser.click("#overview [data-key=connections] button")
    taken = [int(text.split("/")[0]) if "/" in text else -1 for text in column(7)]
    assert taken == sorted(taken, reverse=True)
    assert browser.run("return document.querySelector('[data-key=connections]').ariaSort") == "descending"
    browser.click("#overview [data-key=connections] button")
    assert column(7)[-1] == "79 / 97"
    assert browser.run("return document.querySelector('[data-key=connections]').ariaSort") == "ascending"
    # The sections are in the same order.
    assert browser.texts("details.database h3") == column(1)
    browser.click("#overview [data-key=findings] button")
    assert set(column(1)[:2]) == {"reviews", "shop"}
    browser.click("#overview [data-key=backup] button")
    assert column(1)[0] == "sessions"


def test_light_and_dark_as_preferred_and_as_chosen(browser, pages):
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = browser.open(pages["twenty"]).run(ground)
    dark = browser.open(pages["twenty"], dark=True).run(ground)
    assert (light, dark) == ("rgb(244, 246, 249)", "rgb(14, 19, 26)")
    assert browser.texts("#theme") == ["Theme: system"]
    browser.click("#theme")
    assert (browser.texts("#theme"), browser.run(ground)) == (["Theme: light"], light)
    browser.click("#theme")
    browser.prefer(dark=False)
    assert (browser.texts("#theme"), browser.run(ground)) == (["Theme: dark"], dark)
    # It is remembered.
    browser.open(pages["twenty"], keep=True)
    assert (browser.texts("#theme"), browser.run(ground)) == (["Theme: dark"], dark)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["twenty", "empty"])
def test_contrast(browser, pages, name, dark):
    browser.open(pages[name], dark=dark)
    if name == "twenty":
        browser.click("#expand")
        browser.eventually("return document.querySelectorAll('figure.chart').length === 120")
    assert browser.run(CONTRAST) == []


@pytest.mark.parametrize("size", [(320, 640), PHONE, (768, 1024), (1024, 768)])
def test_narrow_layouts_do_not_scroll_sideways(browser, pages, size):
    browser.open(pages["twenty"], size=size, fragment=SHOP)
    browser.eventually(f"return document.querySelectorAll('{SHOP} figure.chart path.line').length === 6")
    assert browser.run("return document.documentElement.scrollWidth") <= size[0]
    # The table is a list of cards there, and sorts by a field.
    assert browser.run("return getComputedStyle(document.querySelector('#overview tr')).display") == "block"
    browser.choose("#sort", "size")
    sizes = [int(text.split()[0].removeprefix("Size")) for text in browser.texts("#overview [data-name=Size]")]
    assert sizes == sorted(sizes, reverse=True)
    svg = f"document.querySelector('{SHOP} figure.chart svg')"
    assert browser.run(f"return {svg}.getBoundingClientRect().right") <= size[0]


def test_the_keyboard_reaches_everything_and_opens_sections(browser, pages):
    browser.open(pages["twenty"])
    reached = []
    for turn in range(12):
        browser.press("Tab")
        reached.append(browser.run("const e = document.activeElement; return e.id || e.className || e.tagName"))
    assert reached[0] == "skip"
    assert {"theme", "search", "environment", "host", "status", "severity"} <= set(reached)
    outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    browser.run(f"document.querySelector('{SHOP} summary').focus()")
    browser.press("Enter")
    assert browser.run(f"return document.querySelector('{SHOP}').open")


def test_a_link_opens_the_section(browser, pages):
    browser.open(pages["twenty"], still=True)
    browser.click(".places .chip[href='#database-18']")
    browser.eventually(f"return document.querySelector('{SHOP}').open")
    top = browser.eventually(
        f"const t = document.querySelector('{SHOP}').getBoundingClientRect().top; return t < 950 && [t]"
    )
    assert top[0] >= 0
    browser.click(f"{SHOP} summary")
    browser.eventually(f"return !document.querySelector('{SHOP}').open")
    browser.click(".places .chip[href='#database-18']")
    browser.eventually(f"return document.querySelector('{SHOP}').open")


def test_nothing_moves_for_those_who_do_not_want_it(browser, pages):
    moving = "return document.getAnimations().length + ' ' + getComputedStyle(document.documentElement).scrollBehavior"
    assert browser.open(pages["live"]).run(moving) == "1 smooth"
    assert browser.open(pages["live"], still=True).run(moving) == "0 auto"


def test_a_live_page_follows_and_keeps_what_was_chosen(browser, pages):
    path = pages["live"]
    fresh = time.time()
    path.write_text(_aged(path.read_text(), fresh))
    browser.open(path, fragment=SHOP)
    browser.choose("#environment", "production")
    browser.click("#overview [data-key=size] button")
    browser.click("[data-range='604800']")
    browser.run("window.before = true")
    path.write_text(_aged(path.read_text(), fresh).replace("<h1>PostgreSQL databases", "<h1>A later page"))
    browser.eventually(
        "return !window.before && document.readyState === 'complete' && document.querySelector('#overview')"
    )
    assert browser.texts("h1") == ["A later page"]
    assert browser.run("return document.querySelector('#environment').value") == "production"
    assert browser.run("return document.querySelector('[data-key=size]').ariaSort") == "descending"
    assert browser.texts("[data-range][aria-pressed=true]") == ["7 d"]
    assert browser.run(f"return document.querySelector('{SHOP}').open")
    # It can be stopped, and stays so.
    browser.click("#live")
    assert browser.texts("#live") == ["Paused"]
    browser.run("window.before = true")
    time.sleep(4)
    assert browser.run("return window.before")


def test_a_page_whose_run_has_ended_says_so(browser, pages):
    path = pages["live"]
    path.write_text(_aged(path.read_text(), time.time() - 3600))
    browser.open(path)
    assert browser.texts("#stale") == ["This page is no longer updated: the run that refreshed it has ended."]
    assert "h ago" in browser.texts("#age")[0]
    assert browser.count("#live") == 1


def _aged(text, at):
    """The same page, as if it had been made at another time."""
    start = text.index('{"at":') + len('{"at":')
    return text[:start] + str(int(at)) + text[text.index(",", start) :]


def test_the_page_of_an_empty_fleet(browser, pages):
    browser.open(pages["empty"])
    assert browser.texts("h2") == ["No databases yet"]
    assert "vellaric.postgres.create" in browser.texts("pre")[0]
    assert browser.complaints() == []
    browser.click("#theme")
    assert browser.texts("#theme") == ["Theme: light"]

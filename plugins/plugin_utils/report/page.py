# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet as one HTML page that needs nothing but itself. Pure, but for reading the template beside this file.

Everything that comes from a database or a host is text to the template, which escapes it. Should that ever fail, the
page's own policy lets nothing run but the scripts that are named there by their digests, and nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from ...module_utils._domain.names import ENVIRONMENTS
from . import figures, panels
from . import fleet as fleets
from . import history as histories

if TYPE_CHECKING:
    from .fleet import Fleet, Shown
    from .history import HistoryEntry

# So many findings are shown at once, the others when asked for.
_FIRST = 8
_ASSETS = Path(__file__).parent / "assets"


def render(fleet: Fleet, entries: Iterable[HistoryEntry], title: str, refresh: int = 0) -> str:
    """Return the page. entries: the history. refresh: seconds after which a browser loads it anew; 0 for never."""
    past = {host.name: [entry for entry in entries if entry["host"] == host.name] for host in fleet.hosts}
    shown = [_database(place, one, past, fleet.at) for place, one in enumerate(fleet.databases)]
    scripts = {name: _asset(f"{name}.js") for name in ("theme", "charts", "page")}
    style = _asset("page.css")
    data = {"at": round(fleet.at), "refresh": refresh, "series": {one["anchor"]: one["series"] for one in shown}}
    page: str = _template().render(
        title=title,
        style=Markup(style),
        theme_script=Markup(scripts["theme"]),
        scripts=[Markup(scripts["charts"]), Markup(scripts["page"])],
        data=Markup(_embedded(data)),
        policy=_policy(style, scripts.values()),
        generated=figures.moment(fleet.at),
        generated_text=figures.minute(fleet.at) + " UTC",
        refresh=refresh,
        databases=shown,
        tiles=panels.tiles(fleet) if shown else [],
        findings=_findings(shown),
        first=_FIRST,
        silent=fleet.silent,
        odd=fleet.odd,
        hosts=[host.name for host in fleet.hosts],
        environments=list(fleets.counted((one["environment"] for one in shown), ENVIRONMENTS)),
        statuses=list(fleets.counted((one["status"] for one in shown), fleets.STATUSES)),
    )
    return page


def _database(place: int, one: Shown, past: Mapping[str, list[HistoryEntry]], now: float) -> dict[str, Any]:
    container = one["container_name"]
    series = histories.series(histories.samples(past[one["inventory_host"]], container, one.get("id")), now)
    known, found = fleets.statistics(one), fleets.findings(one)
    return {
        "anchor": f"database-{place + 1}",
        "name": one["name"],
        "environment": one["environment"],
        "inventory_host": one["inventory_host"],
        "container": container,
        "status": one["status"],
        "reason": one.get("status_reason"),
        "severity": found[0]["severity"] if found else "",
        "findings": found,
        "counts": fleets.counted((finding["severity"] for finding in found), fleets.SEVERITIES),
        "words": " ".join((one["name"], one["environment"], one["inventory_host"], one["host"], container)).lower(),
        "known": known,
        "cells": panels.cells(one, now),
        "gauges": panels.gauges(one) if one["status"] == "active" else [],
        "facts": panels.facts(one),
        "backups": panels.backups(one, now),
        "recent": panels.recent(one, now),
        "queries": [panels.query(query) for query in one.get("queries") or []],
        "asked_queries": one.get("queries") is not None,
        "missing": fleets.reasons(one),
        "spark": panels.spark(series["cpu_percent"]),
        "series": series,
    }


def _findings(shown: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found = [{**finding, "of": one} for one in shown for finding in one["findings"]]
    return sorted(found, key=lambda finding: fleets.SEVERITIES.index(finding["severity"]))


@lru_cache(maxsize=None)
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


@lru_cache(maxsize=None)
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_asset("page.html.j2"))


def _embedded(data: Mapping[str, Any]) -> str:
    """Return JSON that is the same within HTML: no text in it can end the element that holds it."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _policy(style: str, scripts: Iterable[str]) -> str:
    allowed = " ".join(_digest(script) for script in scripts)
    parts = ("default-src 'none'", f"script-src {allowed}", f"style-src {_digest(style)}", "img-src data:")
    return "; ".join((*parts, "base-uri 'none'", "form-action 'none'"))


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"

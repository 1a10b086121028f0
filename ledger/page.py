"""The report as one HTML page that needs nothing else: a verdict, tables, and a time line as inline SVG. Pure functions."""

import datetime
from html import escape

from . import plan, reconcile

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1100px; padding: 0 1rem; color: #222; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
.verdict { padding: .8rem 1.2rem; border-left: .6rem solid; border-radius: .3rem } .verdict p { margin: .2rem 0 }
.ok { border-color: #1a7f37; background: #e9f7ec } .broken { border-color: #b42318; background: #fdecea }
.verdict p:first-child { font-weight: 600; font-size: 1.1rem }
table { border-collapse: collapse; margin: .5rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #ddd } td.n, th.n { text-align: right }
svg { width: 100%; height: auto; font: 11px system-ui, sans-serif } .note { color: #555 }
"""
WIDTH, LEFT = 1060, 130
BARS = 500


def clock(time):
    """12:03:04.5 UTC."""
    moment = datetime.datetime.fromtimestamp(time, datetime.timezone.utc)
    return f"{moment:%H:%M:%S}.{moment.microsecond // 100000}"


def number(value):
    """A figure, or a dash where there is none."""
    return "–" if value is None else f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}"


def table(head, lines):
    """An HTML table; figures stand to the right."""
    def cell(tag, value):
        text = value if isinstance(value, str) else number(value)
        return f"<{tag}{'' if isinstance(value, str) else ' class=n'}>{escape(text)}</{tag}>"

    body = "".join("<tr>" + "".join(cell("td", value) for value in line) + "</tr>" for line in lines)
    return "<table><tr>" + "".join(cell("th", name) for name in head) + f"</tr>{body}</table>"


def balance_of(summary):
    """Lines of the table of messages: all of them, then those of each way."""
    columns = [summary["messages"], *summary["directions"].values()]
    meanings = {"sent": "", "accepted": "a server answered 250"} | reconcile.STATES
    for name, meaning in meanings.items():
        yield [name.replace("_", " "), *(column[name] for column in columns), meaning]
    delays = [summary["delivery"], *(way["delivery"] for way in summary["directions"].values())]
    for name, words in (("p50", "median delay, s"), ("p99", "99 of 100 within, s"), ("max", "longest delay, s")):
        yield [words, *(delay[name] for delay in delays), "from the 250 to the mailbox"]


def rows_of(rows):
    """Lines of the table of services: each protocol, then each of its addresses."""
    for protocol, row in rows.items():
        for name, one in [(protocol, row)] + [(f"· {vip}", one) for vip, one in row["vips"].items()]:
            gap = one["longest_gap"] or {"seconds": None}
            yield [name, one["count"], one["failed"], gap["seconds"], clock(gap["begin"]) if "begin" in gap else "–",
                   one["seconds"]["p50"], one["seconds"]["p99"], one["seconds"]["max"],
                   ", ".join(f"{kind} × {count}" for kind, count in one["errors"].items()) or "none"]


class Line:
    """The time line: lanes of bars over one axis of seconds."""

    def __init__(self, summary):
        self._begin, self._seconds = summary["begin"], max(1, len(summary["timeline"]["accepted"]))
        self._parts, self._y = [], 18

    def x(self, time):
        """Where a time is on the axis."""
        return round(LEFT + min(max((time - self._begin) / self._seconds, 0), 1) * (WIDTH - LEFT - 10), 1)

    def lane(self, title, values, colour, height=36, unit=""):
        """Bars of values per second; a long run is drawn in at most BARS bars, each the largest of its seconds."""
        step = -(-len(values) // BARS)
        tops = [max(values[start:start + step]) for start in range(0, len(values), step)]
        top, base = max(tops, default=0), self._y + height
        self._parts.append(f'<text x="0" y="{base - height / 2:g}">{escape(title)}</text>'
                           f'<text x="{LEFT - 6}" y="{base - height + 10}" text-anchor="end" fill="#777">{number(top)}{unit}</text>'
                           f'<line x1="{LEFT}" x2="{WIDTH - 10}" y1="{base}" y2="{base}" stroke="#ccc"/>')
        width = max(1, (WIDTH - LEFT - 10) / max(1, len(tops)) - .5)
        for index, value in enumerate(tops):
            if value:
                size = max(1, value / top * height)
                self._parts.append(f'<rect x="{self.x(self._begin + index * step)}" y="{base - size:.1f}" width="{width:.1f}" height="{size:.1f}" '
                                   f'fill="{colour}"><title>{clock(self._begin + index * step)}: {number(value)}{unit}</title></rect>')
        self._y = base + 10

    def gap(self, title, gap, colour):
        """The longest gap of one protocol."""
        if not gap:
            return
        left, right = self.x(gap["begin"]), self.x(gap["end"])
        self._parts.append(f'<text x="0" y="{self._y + 10}">{escape(title)}</text><rect x="{left}" y="{self._y}" '
                           f'width="{max(2, right - left):.1f}" height="12" fill="{colour}"/>'
                           f'<text x="{min(right + 5, WIDTH - 60)}" y="{self._y + 10}">{gap["seconds"]:.2f} s</text>')
        self._y += 18

    def faults(self, faults):
        """What was done to the service: a line through all lanes with its number, explained below the picture."""
        for index, fault in enumerate(faults, 1):
            place = self.x(fault["time"])
            self._parts.append(f'<line x1="{place}" x2="{place}" y1="14" y2="{self._y}" stroke="#b42318" stroke-dasharray="3 2"/>'
                               f'<text x="{place}" y="11" text-anchor="middle" fill="#b42318">{index}'
                               f'<title>{escape(fault["text"])}</title></text>')

    def axis(self):
        """The seconds, at five places."""
        for part in range(6):
            seconds = self._seconds * part / 5
            anchor = "end" if part == 5 else "start"
            self._parts.append(f'<text x="{self.x(self._begin + seconds)}" y="{self._y + 12}" text-anchor="{anchor}" fill="#777">'
                               f'{clock(self._begin + seconds)} (+{seconds:.0f} s)</text>')
        self._y += 18

    def svg(self):
        """The picture."""
        return f'<svg viewBox="0 0 {WIDTH} {self._y + 4}" role="img" aria-label="time line">{"".join(self._parts)}</svg>'


def time_line(summary):
    """The time line of a summary as SVG."""
    line, series = Line(summary), summary["timeline"]
    line.lane("accepted /s", series["accepted"], "#1a7f37")
    line.lane("failed attempts /s", series["failed"], "#b42318")
    line.lane("longest delay", series["delay"], "#8250df", unit=" s")
    for protocol, values in series["probes_failed"].items():
        line.lane(f"{protocol} probes failed", values, "#d4a72c", 20)
    for protocol, row in summary["probes"].items():
        line.gap(f"{protocol}: longest gap", row["longest_gap"], "#57606a")
    line.faults(summary["faults"])
    line.axis()
    return line.svg()


def render(summary):
    """summary -> HTML (str)."""
    verdict, prober = summary["verdict"], summary["prober"]
    first, *others = verdict["sentences"]
    head = ["", "done", "failed", "longest gap, s", "began", "median, s", "p99, s", "longest, s", "what clients saw"]
    notable = summary["notable"][:200]
    blind = [[account, entry["seconds"], clock(entry["begin"]), "noticed" if entry["noticed"] else "not noticed by the end"]
             for account, entry in summary["idle"].items() if entry]
    parts = [
        f"<h1>Loss ledger {escape(summary['name'])}</h1>",
        f'<div class="verdict {"ok" if verdict["ok"] else "broken"}"><p>{"PASSED" if verdict["ok"] else "FAILED"}: {escape(first)}</p>'
        + "".join(f"<p>{escape(sentence)}</p>" for sentence in others) + "</div>",
        f"<p>{clock(summary['begin'])} to {clock(summary['end'])} UTC on {datetime.datetime.fromtimestamp(summary['begin'], datetime.timezone.utc):%d %B %Y}, "
        f"{summary['seconds']:.0f} s, {number(summary['asked']['rate'])} messages a second to {len(summary['asked']['accounts'])} accounts of "
        f"{escape(summary['asked']['service_name'])} by {escape(', '.join(summary['asked']['vips']))}"
        + (f", some of them on to {escape(summary['asked']['foreign_domain'])}" if summary["asked"]["foreign_domain"] else "") + ".</p>",
        "<h2>Time line</h2>", time_line(summary),
        table(["", "time", "what", ""], [[index, clock(fault["time"]), fault["kind"], fault["text"]]
                                         for index, fault in enumerate(summary["faults"], 1)]) if summary["faults"] else "",
        "<h2>Messages</h2>",
        table(["", "all", *plan.DIRECTIONS.values(), ""], balance_of(summary)),
        f"<p>{number(summary['retried'])} messages needed more than one attempt, "
        f"{number(summary['elsewhere'])} were accepted by another address than the first that was tried.</p>",
        "<h2>Handing mail in</h2>", table(head, rows_of(summary["services"])),
        "<h2>Availability probes</h2>", table(head, rows_of(summary["probes"])),
        "<h2>Mail programs in IDLE</h2>", table(["account", "longest time blind, s", "began", ""], blind),
        "<h2>Messages that did not just arrive</h2>" if notable else "",
        table(["message", "to", "state", "copies", "attempts", "delay, s"],
              [[item["n"], item["to"], item["state"].replace("_", " "), item["copies"], item["attempts"], item["delay"]] for item in notable])
        if notable else "",
        f"<p class=note>{len(summary['notable']) - len(notable)} more are in the JSON report.</p>" if len(notable) < len(summary["notable"]) else "",
        f"<p class=note>The prober was started {len(prober['starts'])} time(s), stood still {prober['stalls']} time(s), "
        f"for {number(prober['longest_stall'])} s at most; a gap is no more exact than that. {prober['torn_lines']} line(s) of the ledger were cut off.</p>",
    ]
    return f'<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>Loss ledger {escape(summary["name"])}</title><style>{STYLE}</style>\n' \
        + "\n".join(parts) + "\n</html>\n"

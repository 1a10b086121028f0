#!/usr/bin/env python3
"""Fill the tables of variables in roles/*/README.md from the argument specs and defaults of the roles, the table of docs/objectives.md from
the default objectives, and that of the platforms in roles/firewall_pair/README.md from their dialects.

    docs/generate.py           write what has changed
    docs/generate.py --check   write nothing, list what is out of date, exit 1 if anything is

A table stands between two marker lines, `<!-- variables -->` and `<!-- /variables -->`. `<!-- variables NAME -->` takes
the options of the entry point NAME of the spec; without a name, those of all entry points without a table of their own.
"""

from __future__ import annotations

import argparse
import functools
import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
TABLE = re.compile(r"^<!-- variables(?: (?P<entry>\w+))? -->\n.*?^<!-- /variables -->$", re.MULTILINE | re.DOTALL)
OBJECTIVES = re.compile(r"(?<=^<!-- objectives -->\n).*?(?=^<!-- /objectives -->$)", re.MULTILINE | re.DOTALL)
PLATFORMS = re.compile(r"(?<=^<!-- platforms -->\n).*?(?=^<!-- /platforms -->$)", re.MULTILINE | re.DOTALL)
LONGEST_DEFAULT = 100

sys.path.append(str(ROOT / "collections"))
from ansible_collections.mail.ha.plugins.module_utils import firewall_platforms, objectives  # noqa: E402  pylint: disable=wrong-import-position


def load(path: Path) -> dict:
    """Content of a YAML file; an empty mapping where there is no file or nothing in it."""
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


def render_text(value: object) -> str:
    """A description of a spec as one line of Markdown in a table cell."""
    text = " ".join(value) if isinstance(value, list) else str(value or "")
    text = " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|")
    return re.sub(r"\b[A-Z]\(([^()]*)\)", r"`\1`", text)


def render_default(value: object) -> str:
    """A default as one line of flow-style YAML."""
    if value == "":
        return "empty"
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False)
    text = text.removesuffix("\n").removesuffix("\n...")
    if isinstance(value, (list, dict)) and len(text) > LONGEST_DEFAULT:
        return f"{len(value)} entries, see defaults/main.yml"
    return "`" + text.replace("|", "\\|") + "`"


def render_rows(options: dict, defaults: dict, prefix: str = "") -> list[str]:
    """Rows of the table: one for each option, followed by those of its suboptions."""
    rows = []
    for name, option in options.items():
        kind = option.get("type", "str") + (f" of {option['elements']}" if "elements" in option else "")
        if option.get("required"):
            default = "required"
        elif name in defaults and not prefix:
            default = render_default(defaults[name])
        else:
            default = render_default(option["default"]) if "default" in option else ""
        choices = f" One of {', '.join(f'`{choice}`' for choice in option['choices'])}." if "choices" in option else ""
        rows.append(f"| `{prefix}{name}` | {kind} | {default} | {render_text(option.get('description'))}{choices} |")
        inner = f"{prefix}{name}[]." if option.get("type") == "list" else f"{prefix}{name}."
        rows += render_rows(option.get("options") or {}, {}, inner)
    return rows


def render_readme(text: str, specs: dict, defaults: dict) -> str:
    """The README with its tables filled.

    :param specs: the entry points of the role's argument spec
    :param defaults: content of defaults/main.yml
    """
    own = {match["entry"] for match in TABLE.finditer(text)} - {None}

    def table(match: re.Match) -> str:
        entry = match["entry"]
        options: dict = {}
        for name, spec in specs.items():
            if name == entry or entry is None and name not in own:
                options.update(spec.get("options") or {})
        rows = render_rows(options, defaults)
        lines = ["| Variable | Type | Default | Meaning |", "|---|---|---|---|", *rows] if rows else ["None."]
        first = match[0].partition("\n")[0]
        return "\n".join([first, "", *lines, "", "<!-- /variables -->"])

    return TABLE.sub(table, text)


def render_objectives(text: str) -> str:
    """The page with its tables filled: what the default objectives come to."""
    return OBJECTIVES.sub(lambda _: "\n".join(["", *objectives.table(objectives.derive()), "", ""]), text)


def render_platforms(text: str) -> str:
    """The page with its table of firewall platforms filled; a page without that table stays as it is."""
    rows = [f"| `{name}` | {dialect.product} | {dialect.tried} | {dialect.rollback} |" for name, dialect in sorted(firewall_platforms.DIALECTS.items())]
    lines = ["| platform | product | tried on | a change is taken back by |", "|---|---|---|---|", *rows]
    return PLATFORMS.sub(lambda _: "\n".join(["", *lines, "", ""]), text)


def main(arguments: list[str]) -> int:
    """Write or check; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if a page is out of date")
    check = parser.parse_args(arguments).check
    pages = {ROOT / "docs/objectives.md": render_objectives}
    for readme in sorted(ROOT.glob("roles/*/README.md")):
        specs = load(readme.parent / "meta/argument_specs.yml").get("argument_specs", {})
        pages[readme] = functools.partial(render_readme, specs=specs, defaults=load(readme.parent / "defaults/main.yml"))
    stale = []
    for page, render in pages.items():
        text = page.read_text(encoding="utf-8")
        fresh = render_platforms(render(text))
        if fresh != text:
            stale.append(str(page.relative_to(ROOT)))
            if not check:
                page.write_text(fresh, encoding="utf-8")
    for name in stale:
        print(f"{name}: {'out of date, run `make docs`' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Every role says what it takes: spec, defaults and README agree."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
# Entry points that describe variables of an inventory, not inputs of the role itself.
OF_INVENTORIES = {("validate_inventory", entry) for entry in ("site", "node", "lab")}
TYPES = {"str", "int", "float", "bool", "list", "dict", "path", "raw"}

roles = pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}


def entry_points(role):
    return load(role / "meta/argument_specs.yml")["argument_specs"]


def own_options(role):
    """Inputs of the role over all its entry points."""
    options = {}
    for entry, spec in entry_points(role).items():
        if (role.name, entry) not in OF_INVENTORIES:
            options.update(spec.get("options") or {})
    return options


def walk(options, place=""):
    """All options and suboptions as (place, option)."""
    for name, option in options.items():
        yield f"{place}{name}", option
        yield from walk(option.get("options") or {}, f"{place}{name}.")


def generator():
    """docs/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_roles():
    assert ROLES


@roles
def test_spec_describes_main(role):
    assert "main" in entry_points(role)


@roles
def test_every_entry_point_has_a_task_file(role):
    missing = [entry for entry in entry_points(role)
               if (role.name, entry) not in OF_INVENTORIES and not (role / f"tasks/{entry}.yml").exists()]
    assert missing == []


@roles
def test_defaults_and_spec_have_the_same_names(role):
    options = own_options(role)
    path = role / "defaults/main.yml"
    defaults = load(path) if path.exists() else {}
    required = {name for name, option in options.items() if option.get("required")}
    assert set(defaults) - set(options) == set(), "in defaults/main.yml, but not in the spec"
    assert set(options) - set(defaults) - required == set(), "in the spec without required: true, but not in defaults/main.yml"
    assert required & set(defaults) == set(), "required: true, but defaults/main.yml has a value"


@roles
def test_defaults_in_the_spec_are_the_real_ones(role):
    path = role / "defaults/main.yml"
    defaults = load(path) if path.exists() else {}
    wrong = {name: (option["default"], defaults.get(name)) for name, option in own_options(role).items()
             if "default" in option and defaults.get(name) != option["default"]}
    assert wrong == {}, "spec and defaults/main.yml say different things"


@roles
def test_variables_carry_the_prefix_of_the_role(role):
    assert [name for name in own_options(role) if not name.startswith(f"{role.name}_")] == []


@roles
def test_every_option_has_type_and_description(role):
    wrong = []
    for entry, spec in entry_points(role).items():
        for place, option in walk(spec.get("options") or {}):
            description = option.get("description")
            text = " ".join(description) if isinstance(description, list) else description
            if option.get("type") not in TYPES or not isinstance(text, str) or not text.strip():
                wrong.append(f"{entry}: {place}")
            if option.get("type") == "list" and "elements" not in option:
                wrong.append(f"{entry}: {place} has no elements")
    assert wrong == []


@roles
def test_role_has_its_parts(role):
    missing = [name for name in ("README.md", "meta/main.yml", "meta/argument_specs.yml", "tasks/main.yml") if not (role / name).exists()]
    assert missing == []
    info = load(role / "meta/main.yml")["galaxy_info"]
    assert info["role_name"] == role.name
    assert info["license"] == "MIT" and info["min_ansible_version"] == "2.19" and info["description"]


@roles
def test_readme_has_one_table_of_variables(role):
    lines = (role / "README.md").read_text(encoding="utf-8").splitlines()
    assert lines.count("<!-- variables -->") == 1
    assert "<!-- /variables -->" in lines


def test_readmes_are_up_to_date(capsys):
    assert generator().main(["--check"]) == 0, capsys.readouterr().out


def test_generator_renders_tables():
    generate = generator()
    text = "# x\n\n<!-- variables -->\nold\n<!-- /variables -->\n\n<!-- variables site -->\n<!-- /variables -->\nend\n"
    specs = {
        "main": {"options": {
            "x_size": {"type": "int", "default": 5, "description": ["Size in <bytes>.", "See C(x_other)."]},
            "x_name": {"type": "str", "required": True, "description": "A | B.", "choices": ["a", "b"]},
        }},
        "site": {"options": {"mail_seats": {"type": "list", "elements": "dict", "description": "Seats.", "options": {
            "vrid": {"type": "int", "description": "Number."}}}}},
    }
    fresh = generate.render_readme(text, specs, {"x_size": 7})
    assert fresh == (
        "# x\n\n<!-- variables -->\n\n| Variable | Type | Default | Meaning |\n|---|---|---|---|\n"
        "| `x_size` | int | `7` | Size in &lt;bytes>. See `x_other`. |\n"
        "| `x_name` | str | required | A \\| B. One of `a`, `b`. |\n\n<!-- /variables -->\n\n"
        "<!-- variables site -->\n\n| Variable | Type | Default | Meaning |\n|---|---|---|---|\n"
        "| `mail_seats` | list of dict |  | Seats. |\n| `mail_seats[].vrid` | int |  | Number. |\n\n<!-- /variables -->\nend\n")
    assert generate.render_readme(fresh, specs, {"x_size": 7}) == fresh

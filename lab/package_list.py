"""Print the Debian packages that the roles install (`<role>_packages` in their defaults), for the image's apt cache."""

import pathlib

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent


def packages():
    """Return the sorted package names of all roles, and those of the lab's own hosts and tests."""
    names = set()
    for path in (ROOT / "roles").glob("*/defaults/main.yml"):
        defaults = yaml.safe_load(path.read_text()) or {}
        names.update(defaults.get(f"{path.parent.parent.name}_packages") or [])
    lab = yaml.safe_load((ROOT / "lab/vars.yml").read_text())
    names.update(lab["lab_outside_packages"] + lab["lab_test_packages"])
    return sorted(names)


if __name__ == "__main__":
    print(" ".join(packages()))

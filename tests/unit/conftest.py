"""Makes ``import ledger`` work, which lies at the top of the repository, and loads programs whose names have no suffix."""

import importlib.machinery
import importlib.util
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


@pytest.fixture(name="load", scope="session")
def fixture_load():
    """A function that gives a program without a suffix as a module; its path is that in the repository."""
    def load(path):
        sys.dont_write_bytecode = True  # nothing of it among the files of roles
        name = pathlib.Path(path).name.replace("-", "_")
        loader = importlib.machinery.SourceFileLoader(name, str(ROOT / path))
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
        loader.exec_module(module)
        return module
    return load

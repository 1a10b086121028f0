"""Makes ``import ledger`` work: the package lies at the top of the repository."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes ``import ansible_collections.mail.ha`` work under plain pytest; ansible-test brings a loader of its own."""

from __future__ import annotations

import os
import sys

try:
    import ansible_collections.mail.ha  # pylint: disable=unused-import
except ImportError:
    sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), *['..'] * 5)))

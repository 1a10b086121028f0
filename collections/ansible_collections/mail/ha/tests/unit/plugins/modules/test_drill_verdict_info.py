# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is read from the evidence of a drill; how it is judged is in test_drill.py."""

from __future__ import annotations

import json

import pytest

from ansible_collections.mail.ha.plugins.modules.drill_verdict_info import EvidenceError, read


@pytest.fixture(name='evidence')
def fixture_evidence(tmp_path):
    (tmp_path / 'ledger.jsonl').write_text('{"e":"sending","t":1}\n\n{"e":"done","t":2}\n', encoding='utf-8')
    (tmp_path / 'writes').write_text('1.5\n2.5\n\n', encoding='utf-8')
    (tmp_path / 'report.json').write_text(json.dumps({'messages': {}, 'verdict': {}}, indent=1), encoding='utf-8')
    return tmp_path


def test_all_of_it(evidence):
    assert read(str(evidence)) == ([{'e': 'sending', 't': 1}, {'e': 'done', 't': 2}], [1.5, 2.5], {'messages': {}, 'verdict': {}})


@pytest.mark.parametrize('name', ['ledger.jsonl', 'writes', 'report.json'])
def test_what_is_missing_or_damaged_is_named(evidence, name):
    (evidence / name).write_text('{"e": "se', encoding='utf-8')
    with pytest.raises(EvidenceError, match=f'{name}.*expected'):
        read(str(evidence))
    (evidence / name).unlink()
    with pytest.raises(EvidenceError, match=f'{name}.*expected'):
        read(str(evidence))

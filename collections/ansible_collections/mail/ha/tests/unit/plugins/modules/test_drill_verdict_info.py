# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is read from the evidence of a drill; how it is judged is in test_drill.py."""

from __future__ import annotations

import json

import pytest

from ansible_collections.mail.ha.plugins.modules.drill_verdict_info import EvidenceError, read, seconds_of, times_of


@pytest.fixture(name='evidence')
def fixture_evidence(tmp_path):
    (tmp_path / 'ledger.jsonl').write_text('{"e":"sending","t":1}\n\n{"e":"done","t":2}\n', encoding='utf-8')
    (tmp_path / 'writes').write_text('1.5\n2.5\n\n', encoding='utf-8')
    (tmp_path / 'report.json').write_text(json.dumps({'messages': {}, 'verdict': {}}, indent=1), encoding='utf-8')
    (tmp_path / 'events.jsonl').write_text('{"time": 1.0, "kind": "fault", "text": "cut"}\n', encoding='utf-8')
    return tmp_path


def test_all_of_it(evidence):
    assert read(str(evidence)) == ([{'e': 'sending', 't': 1}, {'e': 'done', 't': 2}], [1.5, 2.5], {'messages': {}, 'verdict': {}},
                                   [{'time': 1.0, 'kind': 'fault', 'text': 'cut'}])


@pytest.mark.parametrize('name', ['ledger.jsonl', 'writes', 'report.json', 'events.jsonl'])
def test_what_is_missing_or_damaged_is_named(evidence, name):
    (evidence / name).write_text('{"e": "se', encoding='utf-8')
    with pytest.raises(EvidenceError, match=f'{name}.*expected'):
        read(str(evidence))
    (evidence / name).unlink()
    with pytest.raises(EvidenceError, match=f'{name}.*expected'):
        read(str(evidence))


def test_times_of_runs():
    assert times_of([{'begun': '1', 'mended': 2, 'watched': 3.5, 'targets': ['mail1']}]) == [{'begun': 1.0, 'mended': 2.0, 'watched': 3.5}]
    for wrong in ([], [{'begun': 1, 'watched': 3}], [{'begun': 1, 'mended': 'soon', 'watched': 3}], [{'begun': 1, 'mended': None, 'watched': 3}]):
        with pytest.raises(ValueError, match='runs: found .*, expected at least one, each with begun, mended, watched in seconds'):
            times_of(wrong)


def test_what_has_to_refuse_is_a_service_that_is_watched():
    assert seconds_of({'imap': '15', 'directory_write': 30}) == {'imap': 15.0, 'directory_write': 30.0}
    assert seconds_of({}) == {}
    for wrong in ({'pop3': 15}, {'imap': 'soon'}, {'imap': -1}, {'imap': float('nan')}, {'imap': None}):
        with pytest.raises(ValueError, match='closed: found .*, expected seconds, 0 or more, for some of smtp, submission, imap, directory_write'):
            seconds_of(wrong)

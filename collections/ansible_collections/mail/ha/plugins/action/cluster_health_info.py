# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judge a cluster on the control node, from what its nodes said."""

from __future__ import annotations

import time

from ansible.plugins.action import ActionBase
from ansible_collections.mail.ha.plugins.module_utils import cluster_evidence, cluster_health, cluster_metrics


class ActionModule(ActionBase):
    """The verdict over a cluster. Touches no host."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        """See the documentation of the module."""
        result = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec({
            'reports': {'type': 'dict', 'required': True},
            'round': {'type': 'str', 'required': True},
            'nodes': {'type': 'dict', 'required': True},
            'addresses': {'type': 'list', 'elements': 'dict', 'required': True},
        })
        expected = {'nodes': arguments['nodes'], 'addresses': arguments['addresses']}
        reports = {host: report['checks'] for host, report in arguments['reports'].items()
                   if isinstance(report, dict) and report.get('round') == arguments['round']}
        verdict = cluster_health.verdict(reports, expected)
        answers = cluster_health.useful(reports)
        evidence = cluster_evidence.evidence(answers, expected, verdict)
        result.update(
            verdict, changed=False, evidence=evidence, text=cluster_evidence.screen(verdict, evidence),
            prometheus=cluster_metrics.metrics(answers, expected, verdict, time.time()))
        return result

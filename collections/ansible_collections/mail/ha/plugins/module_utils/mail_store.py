# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a node's mail store is, from the kernel's table of mounts and from mail-store-probe. Pure functions.

Shapes::

    mount {type, source, options: [str], read_only: bool}
    write {writable: bool, seconds: float or None, reason: str}
"""

from __future__ import annotations

import re


def mount(mountinfo, path):
    """The file system mounted at ``path`` -> mount, or None where nothing is.

    :param mountinfo: text of /proc/self/mountinfo (proc(5)). It is read instead of asking the file system, which may hang.
    """
    found = None
    for line in mountinfo.splitlines():
        left, dummy, right = line.partition(' - ')
        place, words = left.split(' '), right.split(' ')
        if len(place) > 5 and len(words) > 1 and place[4] == path:
            options = place[5].split(',')
            source = re.sub(r'\\([0-7]{3})', lambda escaped: chr(int(escaped.group(1), 8)), words[1])  # a blank is written as \040
            # The last one covers those before it.
            found = {'type': words[0], 'source': source, 'options': options, 'read_only': 'ro' in options}
    return found


def foreign(found, path, sources):
    """Something else than the store is mounted -> [sentence]. Nothing about a mount that is missing, for the probe tells of it.

    :param found: mount, or None.
    :param sources: what may be mounted at ``path``, as the table of mounts shows it (list of str); empty when that is not known.
    """
    # GlusterFS that was mounted by hand shows a slash before the name of the volume.
    if found is None or not sources or {found['source'], found['source'].replace(':/', ':', 1)} & set(sources):
        return []
    return ['%s is mounted from %s (%s), expected %s. Mail that is written there now is missed later: take this node out of service, unmount that, and '
            'mount the store.' % (path, found['source'], found['type'], ' or '.join(sources))]


def write(code, out):
    """Exit code and output of mail-store-probe -> write.

    It says "ok, 0.016 s", or why the store is not mounted or takes no write.
    """
    took = re.match(r'ok, ([0-9.]+) s', out)
    if code == 0 and took:
        return {'writable': True, 'seconds': float(took.group(1)), 'reason': ''}
    return {'writable': False, 'seconds': None, 'reason': out.strip() or 'no answer from the probe (exit code %d)' % code}

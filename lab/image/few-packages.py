"""Leave in apt's lists only what this image has installed or downloaded. With all of Debian's, nearly seventy thousand, each `apt-get install` takes
two seconds of processor time to weigh them, on every node for every role. `apt-get update` in a terminal brings the whole lists back (whole-lists).
Run in the image, before its cache is made."""

import os
import pathlib
import time

LISTS = pathlib.Path("/var/lib/apt/lists")
STATUS = pathlib.Path("/var/lib/dpkg/status")


def stanzas(text):
    """The paragraphs of a control file, with the name of the package."""
    for stanza in text.split("\n\n"):
        if stanza.startswith("Package: "):
            yield stanza.partition("\n")[0].removeprefix("Package: "), stanza


kept = {name for name, _stanza in stanzas(STATUS.read_text(encoding="utf-8"))}
kept |= {file.name.partition("_")[0] for file in pathlib.Path("/var/cache/apt/archives").glob("*.deb")}
for file in LISTS.glob("*_Packages"):
    left = [stanza.rstrip("\n") for name, stanza in stanzas(file.read_text(encoding="utf-8")) if name in kept]
    file.write_text("\n\n".join(left) + "\n", encoding="utf-8")

# The image's archive gives all that is newer the time at which it was begun, and apt's cache counts for lists of the same time only.
sooner = int(time.time()) - 3600
for file in [*LISTS.glob("*_*"), STATUS]:
    os.utime(file, (sooner, sooner))

"""`--record DIRECTORY`: keeps what decisions were made from, so that a wrong verdict can be replayed elsewhere.

One file for each decision that says something new or writes. Bounded: the oldest files go, so a directory that
nobody looks at never fills a disk.
"""

import re
from pathlib import Path

from penstock import recorded
from penstock.core.decision import Decision
from penstock.core.observation import Observation

FILES = 2000
"""Files that are kept; one of a rollout of 20 pods has about 15 KB."""

_NAME = re.compile(r"\d{17}-.*\.json")


class Recording:
    """A directory of recorded observations. Files sort by time."""

    def __init__(self, directory: Path, files: int = FILES) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self._files = directory, files
        self._kept = sorted(p.name for p in directory.iterdir() if _NAME.fullmatch(p.name))

    def keep(self, seen: Observation, decision: Decision) -> Path:
        """Write one file, and let the oldest go."""
        meta = seen.deployment
        name = f"{int(seen.now * 1e6):017}-{meta.namespace}-{meta.name}"[:200] + ".json"
        path = self.directory / name
        path.write_bytes(recorded.encode(seen, decision))
        self._kept.append(name)
        while len(self._kept) > self._files:
            (self.directory / self._kept.pop(0)).unlink(missing_ok=True)
        return path

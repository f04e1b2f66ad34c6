"""What a job that says nothing would do, from the job file's schema, and what is better for small files."""
from __future__ import annotations

import json
import math
from typing import Any, Mapping

from .._programs import run_fpoctl

_WARMUP_STEPS = 150  # the job file's default, of a run that names no max_steps
_SUPERVISED_RATE = 1e-5  # the job file's default is for preferences, and too small for this


class JobDefaults:
    """Read once: fpoctl and this package are of one version."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._properties = schema["properties"]

    @classmethod
    def read(cls) -> JobDefaults:
        return cls(json.loads(run_fpoctl(["schema"])))

    def rate(self, method: str) -> float:
        """What a learning_rate_multiplier multiplies where the model's entry names no rate."""
        return _SUPERVISED_RATE if method == "supervised" else float(self._of({}, "optimizer", "lr"))

    def rhythm(self, job: Mapping[str, Any], rows: int) -> dict[str, dict[str, int]]:
        """Warm-up, checkpoints and evaluations of a short run. The job file's defaults (150 and 200 steps) are for runs of thousands of steps:
        one of a hundred would never reach its learning rate, and leave no checkpoint."""
        epoch = max(math.ceil(rows / self._of(job, "batch", "pairs")), 1)
        steps = epoch * job.get("epochs", self._properties["epochs"]["default"])
        steps = min(steps, job.get("max_steps") or steps)
        each_epoch = {"every_steps": min(epoch, self._of({}, "checkpoint", "every_steps"))}
        changes = {"checkpoint": each_epoch, "schedule": {"warmup_steps": min(steps // 10, _WARMUP_STEPS)}}
        return {**changes, "evaluate": each_epoch} if (job.get("data") or {}).get("eval") else changes

    def _of(self, job: Mapping[str, Any], section: str, key: str) -> Any:
        return (job.get(section) or {}).get(key, self._properties[section]["properties"][key]["default"])

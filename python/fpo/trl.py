"""TRL's DPOTrainer with its reference from the columns that fpo.reference.fill added."""
from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import trl

from .errors import Conflict
from .reference import LOGPS, TOKENS_DIGEST, check_tokens

if TYPE_CHECKING:
    from datasets import Dataset

if not hasattr(trl.DPOTrainer, "_precompute_ref_logps"):
    raise ImportError(f"fpo.trl knows the DPOTrainer of trl 1.16; that of trl {trl.__version__} takes its reference in another way")


class DPOTrainer(trl.DPOTrainer):
    """A trl.DPOTrainer that keeps no reference model and makes no reference pass over a filled dataset.

    It sets ``precompute_ref_log_probs``, and takes the values that ``fill`` added after it has compared each pair's tokens with those that
    the reference scored: a Conflict names pairs that differ. A dataset without these columns gets its values from TRL, as ever.
    """

    def __init__(self, model: Any, ref_model: Any = None, args: Any = None, **more: Any) -> None:
        if ref_model is not None:
            raise Conflict("the reference is in the dataset, and ref_model would not be used", reason="USAGE", field="ref_model",
                           hint="leave ref_model out")
        args = trl.DPOConfig() if args is None else copy.copy(args)
        if args.ld_alpha is not None:
            raise Conflict("ld_alpha weighs the tokens of a response, and the service keeps their sum", reason="USAGE", field="ld_alpha",
                           hint="leave ld_alpha out, or use trl.DPOTrainer, which makes its own reference pass")
        args.precompute_ref_log_probs = True
        super().__init__(model, args=args, **more)

    def _precompute_ref_logps(self, dataset: Dataset, name: str, batch_size: int) -> Dataset:
        columns = getattr(dataset, "column_names", None) or []
        if not all(column in columns for column in LOGPS):
            return super()._precompute_ref_logps(dataset, name, batch_size)
        if TOKENS_DIGEST not in columns:
            raise Conflict(f"the {name} dataset has {' and '.join(LOGPS)}, and not {TOKENS_DIGEST}, which says of which tokens they are",
                           reason="TOKENS_DIFFER", field=TOKENS_DIGEST, hint="keep the columns that fpo.reference.fill adds")
        if self.args.truncation_mode != "keep_start":
            raise Conflict(f'the reference scored what is left with truncation_mode "keep_start", not "{self.args.truncation_mode}"',
                           reason="TOKENS_DIFFER", field="truncation_mode", hint='truncation_mode="keep_start"')
        check_tokens(dataset, self.args.max_length)
        return dataset

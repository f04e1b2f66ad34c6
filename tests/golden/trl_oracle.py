"""TRL's own loss code on the log-probs of gemma_float64.py: what method.loss, sft_weight and orpo are compared with.

Runs the methods of DPOTrainer, CPOTrainer and ORPOTrainer (trl 1.16) that compute losses, on an object that has only what these methods read.
"""
from collections import defaultdict
from types import SimpleNamespace

import torch
from trl.experimental.cpo import CPOTrainer
from trl.experimental.orpo import ORPOTrainer
from trl.trainer.dpo_trainer import DPOTrainer

# golden case: TRL's loss_type, loss_weights, label_smoothing
DPO_CASES = {"dpo": (["sigmoid"], [1.0], 0.0), "ln_dpo": (["sigmoid_norm"], [1.0], 0.0),
             "dpo_hinge": (["hinge"], [1.0], 0.0), "ln_dpo_ipo": (["ipo"], [1.0], 0.0),
             "dpo_robust": (["robust"], [1.0], 0.1), "dpo_sft": (["sigmoid", "sft"], [1.0, 0.3], 0.0)}
CASES = [*DPO_CASES, "simpo", "orpo"]
# ORPOTrainer computes the odds in float32.
TOLERANCE = {"orpo": 1e-5}


def token_logps(logits, batch):
    """[rows, tokens - 1], 0 at tokens that are not the response's, and the mask of those that are, [rows, tokens]."""
    ids = batch["ids"]
    place = torch.arange(ids.shape[1])
    mask = (place >= batch["start"][:, None]) & (place < (batch["start"] + batch["length"])[:, None])
    logps = logits.log_softmax(-1)[:, :-1].gather(2, ids[:, 1:, None])[..., 0]
    return logps * mask[:, 1:], mask.long()


def accelerator():
    return SimpleNamespace(device=torch.device("cpu"), gather=lambda x: x, gather_for_metrics=lambda x: x)


def dpo_loss(name, logits, batch, reference_logps, beta):
    loss_types, loss_weights, smoothing = DPO_CASES[name]
    logps, mask = token_logps(logits, batch)
    outputs = SimpleNamespace(log_probs=logps, entropy=torch.zeros_like(logps), mean_logits=torch.zeros_like(logps),
                              is_top1=torch.zeros_like(logps, dtype=torch.bool))
    chosen, rejected = reference_logps.chunk(2)
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=True), accelerator=accelerator(), aux_loss_enabled=False, ld_alpha=None,
        precompute_ref_logps=True, f_divergence_type="reverse_kl", beta=beta, label_smoothing=smoothing, loss_types=loss_types,
        loss_weights=loss_weights, use_weighting=False, _metrics=defaultdict(lambda: defaultdict(list)), _total_train_tokens=0, _tp_size=1)
    inputs = {"input_ids": batch["ids"], "attention_mask": torch.ones_like(batch["ids"]), "completion_mask": mask,
              "ref_chosen_logps": chosen, "ref_rejected_logps": rejected}
    return DPOTrainer._compute_loss(trainer, lambda **_: outputs, inputs, False)


def mean_logps(logits, batch):
    logps, mask = token_logps(logits, batch)
    return (logps.sum(1) / mask.sum(1)).chunk(2)


def simpo_loss(logits, batch, beta, gamma):
    trainer = SimpleNamespace(accelerator=accelerator(), beta=beta, simpo_gamma=gamma, label_smoothing=0.0, loss_type="simpo", alpha=0.0)
    return CPOTrainer.cpo_loss(trainer, *mean_logps(logits, batch))[0].mean()


def orpo_loss(logits, batch, beta):
    """TRL's NLL is that of prompts and responses; this one, like the trainer's, of the responses alone."""
    ratio = ORPOTrainer.odds_ratio_loss(SimpleNamespace(accelerator=accelerator(), beta=beta), *mean_logps(logits, batch))[0]
    logps, mask = token_logps(logits, batch)
    pairs = len(logps) // 2
    return -logps[:pairs].sum() / mask[:pairs].sum() - ratio.mean()


def loss(name, logits, batch, reference_logps, options):
    if name == "simpo":
        return simpo_loss(logits, batch, options["beta"], options["gamma"])
    if name == "orpo":
        return orpo_loss(logits, batch, options["beta"])
    return dpo_loss(name, logits, batch, reference_logps, options["beta"])

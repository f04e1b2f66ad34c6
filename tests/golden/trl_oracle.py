"""TRL's own loss code on the log-probs of gemma_float64.py: what method.loss, sft_weight, orpo and kto are compared with.

Runs the methods of DPOTrainer, CPOTrainer, ORPOTrainer and KTOTrainer (trl 1.16) that compute losses, on an object that has only what these methods read.
"""
from collections import defaultdict
from types import SimpleNamespace

import torch
from trl.experimental.cpo import CPOTrainer
from trl.experimental.orpo import ORPOTrainer
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_trainer import KTOTrainer

# golden case: TRL's loss_type, loss_weights, label_smoothing
DPO_CASES = {"dpo": (["sigmoid"], [1.0], 0.0), "ln_dpo": (["sigmoid_norm"], [1.0], 0.0),
             "dpo_hinge": (["hinge"], [1.0], 0.0), "ln_dpo_ipo": (["ipo"], [1.0], 0.0),
             "dpo_robust": (["robust"], [1.0], 0.1), "dpo_sft": (["sigmoid", "sft"], [1.0, 0.3], 0.0)}
CASES = [*DPO_CASES, "simpo", "orpo", "kto", "kto_rejected"]
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


def kto_loss(name, logits, batch, reference_logps, options):
    """The responses of one side with labels, those of the other as mismatched ones."""
    logps, mask = token_logps(logits, batch)
    first, second = (0, 1) if name == "kto" else (1, 0)
    side = [{"ids": ids, "logps": logp, "mask": own, "reference": reference} for ids, logp, own, reference in
            zip(batch["ids"].chunk(2), logps.chunk(2), mask.chunk(2), reference_logps.chunk(2))]
    inputs = {"input_ids": side[first]["ids"], "attention_mask": torch.ones_like(side[first]["ids"]),
              "completion_mask": side[first]["mask"], "ref_logps": side[first]["reference"],
              "KL_input_ids": side[second]["ids"], "KL_attention_mask": torch.ones_like(side[second]["ids"]),
              "KL_completion_mask": side[second]["mask"], "ref_KL_logps": side[second]["reference"],
              "label": torch.tensor(options["labels"])}

    def model(input_ids, **_):
        own = side[first] if torch.equal(input_ids, side[first]["ids"]) else side[second]
        zeros = torch.zeros_like(own["logps"])
        return SimpleNamespace(log_probs=own["logps"], entropy=zeros, mean_logits=zeros)

    trainer = SimpleNamespace(
        model=SimpleNamespace(training=True), accelerator=accelerator(), aux_loss_enabled=False, calculate_KL=True, precompute_ref_logps=True,
        loss_type="kto", beta=options["beta"], desirable_weight=options["desirable_weight"], undesirable_weight=options["undesirable_weight"],
        _metrics=defaultdict(lambda: defaultdict(list)), _total_train_tokens=0, _tp_size=1)
    trainer._compute_kl_logps = lambda *arguments: KTOTrainer._compute_kl_logps(trainer, *arguments)
    return KTOTrainer._compute_loss(trainer, model, inputs, False)


def loss(name, logits, batch, reference_logps, options):
    if name == "simpo":
        return simpo_loss(logits, batch, options["beta"], options["gamma"])
    if name == "orpo":
        return orpo_loss(logits, batch, options["beta"])
    if name in ("kto", "kto_rejected"):
        return kto_loss(name, logits, batch, reference_logps, options)
    return dpo_loss(name, logits, batch, reference_logps, options["beta"])

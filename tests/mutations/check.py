#!/usr/bin/env python3
"""Breaks the numeric code in one place at a time and shows which tests notice.

usage: tests/mutations/check.py [NAME ...]      (default: all; needs a machine on which scripts/build.sh has run once)
       tests/mutations/check.py --matching TEXT (those whose name or file has this text in it)
       tests/mutations/check.py --list-check    (builds nothing: every entry still has its place in the sources; a ctest)

The tree is copied to build/mutations, so the sources here are never touched. Of a mutation the nearest test program is built and run first,
the others only while none has noticed it. Prints one line a mutation: its name and the first tests that fail. Exit code 1 when a mutation survives or an entry has no place.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPY = ROOT / "build" / "mutations"
TESTS = ["fpo_cuda_test", "fpo_golden_test", "fpo_ops_test", "fpo_model_test", "fpo_method_test", "fpo_text_test",
         "fpo_files_test", "fpo_kernels_test", "fpo_nf4_test", "fpo_train_loop_test"]
# Which test programs are nearest to a folder's files.
NEAREST = {"train/cuda": ["fpo_cuda_test"], "train/cuda/kernels": ["fpo_cuda_test"],
           "train/formats": ["fpo_files_test"], "train/kernels": ["fpo_kernels_test", "fpo_ops_test"], "train/nf4": ["fpo_nf4_test", "fpo_model_test"], "train/ops": ["fpo_ops_test", "fpo_model_test"],
           "train/model": ["fpo_model_test", "fpo_golden_test"], "train/sae": ["fpo_method_test"], "train/loss": ["fpo_method_test"],
           "train/optim": ["fpo_method_test"], "train/data": ["fpo_text_test", "fpo_train_loop_test"], "train/reference": ["fpo_train_loop_test"],
           "train/sae_training": ["fpo_train_loop_test"], "train/runs": ["fpo_train_loop_test"], "train/objective": ["fpo_train_loop_test"],
           "train/features": ["fpo_golden_test", "fpo_train_loop_test"], "train/loop": ["fpo_train_loop_test"]}
T = "train/"

# name: file, what is there, what a mistake would have written
MUTATIONS = {
    # features
    "features before and after change places": (T + "features/feature_survey.cc", "movements_[s].chosen.Add(side(before[s], 0), side(after[s], 0));",
                                                "movements_[s].chosen.Add(side(after[s], 0), side(before[s], 0));"),
    "features by the mean size of the change": (T + "features/feature_sums.cc", "return (after_ - before_).abs_().div_(",
                                                "return moved_.div("),
    "texts by the codes after alone": (T + "features/span_finder.cc", "strength = at::maximum(strength, source.before);", ""),
    "loss recovered of the loss itself": (T + "features/sae_fit_meter.cc", "(*fit.ce_zero - *fit.ce_sae) / (*fit.ce_zero - *fit.ce)",
                                          "*fit.ce / *fit.ce_sae"),
    "BOS reconstructed too": (T + "features/sae_fit_meter.cc", "edited.narrow(1, 1, rest)", "edited.narrow(1, 0, 1).copy_(change(values.narrow(1, 0, 1).flatten(0, 1)).unsqueeze(1));\n            edited.narrow(1, 1, rest)"),
    # weights of 4 bits
    "the halves of a byte change places": (T + "nf4/nf4_rows.cc", "out[i] = scaled[pair >> 4];\n      out[i + 1] = scaled[pair & 15];",
                                           "out[i] = scaled[pair & 15];\n      out[i + 1] = scaled[pair >> 4];"),
    "magnitudes without their mean": (T + "nf4/nf4_tensor.cc", ".add_(packed.offset)", ""),
    "a magnitude of the block before": (T + "cuda/kernels/nf4_block.h", "Magnitude(i / call.block)", "Magnitude(i / call.block - (i > 64))"),
    "qlora's reference taken for the full base": (T + "reference/reference_plan.cc", "recipe.quantization = inputs.quantization;", ""),
    "rsLoRA scaled as LoRA": (T + "formats/peft_config.cc", "rank_stabilised ? std::sqrt(of_module) : of_module", "of_module"),
    "the merged product not scaled": (T + "model/lora.cc", "projection.a.to(wide)) * projection.scale", "projection.a.to(wide))"),
    # model
    "attention softcap left out": (T + "model/self_attention.cc", "config.attention_softcap.value_or(0)", "0"),
    "attention softcap after the mask": (T + "ops/attention.cc", "result.probabilities = at::softmax(scores, -1);",
                                         "if (options.softcap > 0) scores = (scores / options.softcap).tanh() * options.softcap;\n"
                                         "  result.probabilities = at::softmax(scores, -1);"),
    "attention softcap left out of backward": (T + "ops/attention.cc", "if (scores.tanh.defined()) grad_score", "if (false) grad_score"),
    "attention scale from head_dim": (T + "model/self_attention.cc", "std::sqrt(config.query_pre_attn_scalar)",
                                      "std::sqrt(double(config.head_dim))"),
    "window one too long": (T + "ops/attention.cc", "distance.ge(window)", "distance.gt(window)"),
    "sliding layers see everything": (T + "model/self_attention.cc", "layer.sliding ? config.sliding_window : 0", "0"),
    "norm multiplies by w, not offset + w": (T + "ops/rms_norm.cc", "weight.to(wide.scalar_type()) + options.offset)", "weight.to(wide.scalar_type()))"),
    "norm epsilon outside the root": (T + "ops/rms_norm.cc", ".add_(options.eps).rsqrt_()", ".rsqrt_().add_(options.eps)"),
    "embedding not scaled": (T + "model/embedding.cc", ".mul_(scale)", ""),
    "embedding scale not rounded to the dtype": (T + "model/embedding.cc", "return at::embedding(weight, ids).mul_(scale);",
                                                 "return at::embedding(weight, ids).to(at::kDouble).mul_("
                                                 "std::sqrt(double(weight.size(1)))).to(weight.scalar_type());"),
    "one rope base for all layers": (T + "model/gemma.cc", "config_->sliding[layer] ? rope.sliding : rope.global", "rope.global"),
    "rope turns the other way": (T + "ops/rope.cc", "low.addcmul_(second, s, -sign)", "low.addcmul_(second, s, sign)"),
    "qk-norm after rope": (T + "model/self_attention.cc", "return CausalAttention(ApplyRope(q, rope), ApplyRope(k, rope), v, options);",
                           "if (!weights.q_norm.defined()) return CausalAttention(ApplyRope(q, rope), ApplyRope(k, rope), v, options);\n"
                           "  return CausalAttention(RmsNorm(ApplyRope(project(x, weights.q, config.heads), rope), weights.q_norm, config.norm()),\n"
                           "      RmsNorm(ApplyRope(project(x, weights.k, config.kv_heads), rope), weights.k_norm, config.norm()), v, options);"),
    "gelu without the tanh form": (T + "ops/gated_product.cc", 'at::gelu(gate, "tanh")', 'at::gelu(gate, "none")'),
    "residual before the post-attention norm": (T + "model/block.cc", "? AddRmsNorm(before, attended, weights[at.norm_post_attention], config.norm())",
                                                "? norm(before + attended, at.norm_post_attention)"),
    "mlp_out before its norm": (T + "model/block.cc", "result.output = Edited(context, Site::kResidPost, middle + result.mlp_out);",
                                "result.output = Edited(context, Site::kResidPost, middle + result.mlp_out);\n  if (at.norms_outputs) result.mlp_out = made;"),
    "llama: norms of Gemma": (T + "model/families/llama.cc", ".norm_offset = 0", ".norm_offset = 1"),
    "qwen: no norm of heads": (T + "model/families/qwen3.cc", ".qk_norm = true", ".qk_norm = false"),
    "llama: frequencies slowed or left, none between": (T + "ops/rope.cc", ".div_(span).clamp_(0, 1)", ".div_(span).round_().clamp_(0, 1)"),
    "silu without the slope of its sigmoid": (T + "ops/gated_product.cc", "return at::silu_backward(grad, gate);", "return grad * at::sigmoid(gate);"),
    "decoder scales every embedding": (T + "decode/cpu_decoder.cc", "if (config().family().scales_embedding) x->mul_", "x->mul_"),
    "records of two families under one name": (T + "model/families/qwen3.cc", '"qwen3-1"', '"llama-1"'),
    "final norm left out": (T + "model/gemma.cc", "result.hidden = RmsNorm(x, final_norm, config_->norm());", "result.hidden = x;"),
    "final softcap left out": (T + "ops/vocab_chunk.cc", "} else if (cap_ > 0) {", "} else if (false) {"),
    "final softcap left out of backward": (T + "ops/vocab_chunk.cc", "if (cap_ > 0) gradient", "if (false) gradient"),
    "sums in the model's dtype": (T + "ops/wide_type.h", "x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat", "x.scalar_type()"),
    # byte-level tokenizers
    "a digit too many in a word": (T + "tokenizer/words/word_split.cc", "digits < digits_max_", "digits <= digits_max_"),
    "the last space not left to the next word": (T + "tokenizer/words/word_split.cc", "at == text_.size() || last == begin ? at : last", "at"),
    "U+11A7 as a consonant": (T + "tokenizer/words/nfc.cc", "text.find(kBeforeTrailing)", "text.npos"),
    "parts of characters streamed": (T + "tokenizer/words/byte_level.cc", "BrokenPart(bytes, at) == part ? at : bytes.size()", "false ? at : bytes.size()"),
    # kernels for a GPU, in a grid of this processor's
    "cuda: norm multiplies by w, not offset + w": (T + "cuda/kernels/norm_block.h", "x[k] * rstd * (w[k] + call.offset)", "x[k] * rstd * w[k]"),
    "cuda: norm not rounded before the residual": (T + "cuda/kernels/norm_block.h", "base[k] + Rounded<T>(x[k])", "base[k] + x[k]"),
    "cuda: a part's first row dropped": (T + "cuda/kernels/norm_block.h", "if (!is_first) Load(own, at.left, sums);", "if (is_first) Load(own, at.left, sums);"),
    "cuda: the last part left out": (T + "cuda/kernels/norm_block.h", "if (part + k < parts) sums[k]", "if (part + k + 1 < parts) sums[k]"),
    "cuda: a tail read as a whole pack": (T + "cuda/kernels/numbers.h", "i < count ? ToFloat(p[i]) : 0", "i <= count ? ToFloat(p[i]) : 0"),
    "cuda: ties rounded up": (T + "cuda/kernels/numbers.h", "((bits >> 16) & 1u)", "1u"),
    "cuda: gelu's slope of another sign": (T + "cuda/kernels/elementwise_block.h", "(1 - t * t)", "(1 + t * t)"),
    "cuda: silu's slope without its sigmoid's": (T + "cuda/kernels/elementwise_block.h", "sigmoid * (1 + x * (1 - sigmoid))", "sigmoid"),
    "cuda: angles of the token, not of its position": (T + "cuda/kernels/elementwise_block.h", "token % call.seq", "token"),
    "cuda: sums not moved to a larger maximum": (T + "cuda/kernels/logit_block.h", "if (max > own->max) *own = own->At(max);", ""),
    "cuda: entropy's sum not moved": (T + "cuda/kernels/logit_totals.h", "(weighted + sum * below) * factor", "weighted * factor"),
    "cuda: gradient of the target beside it": (T + "cuda/kernels/logit_block.h", "at.i + k == at.target", "at.i + k == at.target + 1"),
    "cuda: KL without a gradient where s is 0": (T + "cuda/kernels/logit_block.h", "(s != 0 || kappa != 0)", "(s != 0)"),
    "cuda: a segment's last row left out": (T + "cuda/kernels/sum_block.h", "row <= rows.last", "row < rows.last"),
    "cuda: rows of others summed": (T + "cuda/kernels/sum_block.h", "if (call.owners[row] == segment) sum += call.values[row * call.width + column];",
                                    "sum += call.values[row * call.width + column];"),
    "cuda: the factor in memory not read": (T + "cuda/kernels/update_block.h", "const float factor = call.factor == nullptr ? 1 : *call.factor;",
                                            "const float factor = 1;"),
    "cuda: a copy of the prompt gives nothing back": (T + "cuda/fused_attention.cc", "sum.index_add_(0, packed, wide.index_select(0, key));", ""),
    "cuda: kept queries seen as all": (T + "ops/packed_attention.cc", "options.kept_queries ? 1 : group.prompt, group.responses});",
                                       "group.prompt, group.responses});"),
    # packed batches, kernels, the head in one pass
    "packed responses start at position 0": (T + "ops/packed_layout.cc", "positions.push_back(group.prompt + i);", "positions.push_back(i);"),
    "packed: the first token predicts itself": (T + "reference/sequence_batch.cc", "int64_t before = kept;",
                                                "int64_t before = kept + place.first_row - skipped;"),
    "packed: context is scored": (T + "reference/sequence_batch.cc", "if (!IsContextId(response[t])) {", "if (true) {"),
    "packed: prompts of one length are one": (T + "reference/sequence_batch.cc", "group_of.emplace(sequence.prompt, groups->size());",
                                              "group_of.emplace(sequence.prompt.first(1), groups->size());"),
    "packed: no gradient to the prompt": (T + "ops/packed_attention.cc", "at::cat({keys[prompt], keys[own]})",
                                          "at::cat({keys[prompt].detach(), keys[own]})"),
    "packed: a response does not see its prompt": (T + "kernels/attention_scores.h", "part(first, prompt, {row, task.group.prompt, count}, 0);",
                                                   "part(first, {0, 0, 0}, {row, task.group.prompt, count}, 0);"),
    "kernel: window counted from the response": (T + "kernels/attention_scores.h", "part(first, prompt, {row, task.group.prompt, count}, 0);",
                                                 "part(first, prompt, {row, 0, count}, 0);"),
    "packed: kept rows without the prompt's last": (T + "ops/packed_layout.cc", "for (int64_t i = group.prompt - 1; i < rows; ++i) kept",
                                                    "for (int64_t i = group.prompt; i < rows; ++i) kept"),
    "kernel: kept queries at the prompt's start": (T + "kernels/attention_scores.h", "rows, own.position + done, before, own}",
                                                   "rows, own.position + done - skipped, before, own}"),
    "kernel: window one too long": (T + "kernels/attention_scores.h", "query - s.window + 1 - keys.position", "query - s.window - keys.position"),
    "kernel: a block within the window skipped": (T + "kernels/attention_scores.h", "left - 1 <= block.position - s.window",
                                                  "left - 1 <= block.position - s.window + 1"),
    "kernel: keys beyond the end seen": (T + "kernels/attention_scores.h", "end = end > keys.count ? keys.count : end;", ""),
    "kernel: attention softcap left out of backward": (T + "kernels/attention_scores.h", "(1.0F - t * t) * s.scale", "Splat(s.scale)"),
    "kernel: softmax not rescaled": (T + "kernels/attention_rows.h", "if (shrink != 1) ScaleRow(s.out + i * s.width, s.width, shrink);", ""),
    "kernel: head softcap left out of backward": (T + "kernels/logit_rows.h", "return g * slope(z);", "return g;"),
    "kernel: norm gradient without its mean": (T + "kernels/pointwise_rows.h", "(g - n * mean) * rstd", "g * rstd"),
    "head: gradients of another loss kept": (T + "ops/vocab_head.cc", "IsSameGradient(eager->scales.s, scales.s)", "true"),
    "head: the loss of another pair": (T + "reference/response_scores.cc", "loss.gradient(range.first, range.count,",
                                       "loss.gradient(0, range.count,"),
    "head: a chunk ends before its pair": (T + "reference/response_scores.cc", "FirstRow(batch, response + count) - begin});",
                                           "FirstRow(batch, response + count) - begin - (first > 0 ? 1 : 0)});"),
    "head: rows of a chunk's second pair are the first's": (T + "reference/response_scores.cc", "(response - side * count));", "(response - side * count) >= 0);"),
    "packed: a response overwrites the end of the one before": (T + "reference/sequence_batch.cc", "next_row[group] += rows;", "next_row[group] += rows - 1;"),
    "packed: segment one row late": (T + "ops/packed_attention.cc", "kept_ ? layout_.first_kept[i] : layout_.first[i]",
                                     "kept_ ? layout_.first_kept[i] : layout_.first[i] + (i > 0 ? -1 : 0)"),
    "kernel: no gradient to the prompt's keys": (T + "kernels/attention_rows.h", "AddProduct({s.grad_scores, 1, kKeys, s.queries, s.width, grad_keys",
                                                 "if (keys.row >= block.own.row) AddProduct({s.grad_scores, 1, kKeys, s.queries, s.width, grad_keys"),
    "kernel: a response sees the one before": (T + "kernels/attention_scores.h", "row += Padded(count);", "row += count;"),
    "kernel: window of the prompt alone": (T + "kernels/attention_scores.h", "if (all_before && all_within) return;", "if (all_before) return;"),
    "kernel: the tail of a row left out": (T + "kernels/pointwise_rows.h", "if (i < count) fn(i, count - i);", ""),
    "kernel: the tail of the logits left out": (T + "kernels/logit_rows.h", "const Vec e = Exp(below);\n      part += e;\n      part_weighted += e * below;\n    }\n    sum",
                                                "const Vec e = Exp(below);\n      part_weighted += e * below;\n    }\n    sum"),
    "kernel: rope turns the other way": (T + "kernels/pointwise_rows.h", "a * c - b * s", "a * c + b * s"),
    "rope is not turned back": (T + "ops/rope.cc", "Rotate(grads[0], saved[0], saved[1], -1)", "Rotate(grads[0], saved[0], saved[1], 1)"),
    "kernel: silu's slope without its sigmoid's": (T + "kernels/pointwise_rows.h", "sigmoid * (x * (1.0F - sigmoid) + 1.0F)", "sigmoid"),
    "kernel: gelu's derivative without its cube": (T + "kernels/pointwise_rows.h", "(x * x * (3 * kGeluCube) + 1.0F)", "(x * x * kGeluCube + 1.0F)"),
    "kernel: KL gradient without the reference": (T + "kernels/logit_rows.h", "g -= Exp(reference - gradient.reference_log_normalizer) * gradient.kappa;", ""),
    "a tied head counted once": (T + "model/embedding.cc", "sum->AddRows(ids.flatten(), grad.flatten(0, -2));", ""),
    "a gradient's sum keeps the last micro-batch": (T + "ops/gradient_sum.cc", "if (sum_.defined()) {\n    sum_.add_", "if (false) {\n    sum_.add_"),
    "a gradient's pieces are all the first": (T + "ops/gradient_sum.cc", "a.narrow(0, row, std::min", "a.narrow(0, 0, std::min"),
    "a gradient's last piece left out": (T + "ops/gradient_sum.cc", "row < rows; row += block", "row + block < rows; row += block"),
    "a gradient rounded before it is summed": (T + "ops/gradient_sum.cc", "first ? StoreMatrixProduct(own, left, right) : AddMatrixProduct(own, left, right);",
                                               "const at::Tensor part = MatrixProduct(left.to(like_.scalar_type()), right.to(like_.scalar_type()));\n"
                                               "    first ? own.copy_(part) : own.add_(part);"),
    "a product stored where it is added": (T + "ops/product.cc", "into.addmm_(a, b);", "at::Tensor out = into;\n    at::mm_out(out, a, b);"),
    "oneDNN: a piece stored where it is added": (T + "ops/product.cc", "own.add_(OneDnnProduct(rows, b));", "own.copy_(OneDnnProduct(rows, b));"),
    "oneDNN: pieces of the first rows": (T + "ops/product.cc", "a.narrow(0, row, count));", "a.narrow(0, 0, count));"),
    "head: the last chunk's weight gradient alone": (T + "ops/head_gradients.h", "AddMatrixProduct(weight,", "StoreMatrixProduct(weight,"),
    "micro-batch one token too long": (T + "data/batcher.cc", "cost > room", "cost > room + 1"),
    "packed: ids of the first response in all": (T + "reference/sequence_batch.cc", "ids + begin + packed.places[i].first_row", "ids + begin + prompt.size()"),
    "sites: a layer too few": (T + "model/gemma.cc", "std::max(layers, tap.layer + 1)", "std::max<int64_t>(layers, options.taps.front().layer + 1)"),
    "packed groups share the prompts of others": (T + "reference/sequence_batch.cc", "prompts.clear();", ""),
    # SAE
    "site one layer early": (T + "model/gemma.cc", "options.taps[i].layer == layer)", "std::max<int64_t>(options.taps[i].layer, 1) - 1 == layer)"),
    "last layer read after the final norm": (T + "model/gemma.cc", "result.hidden = RmsNorm(x, final_norm, config_->norm());",
                                             "result.hidden = RmsNorm(x, final_norm, config_->rms_norm_eps);\n"
                                             "  for (size_t i = 0; i < options.taps.size(); ++i) {\n"
                                             "    if (options.taps[i].layer + 1 == config_->layers && options.taps[i].site == Site::kResidPost) "
                                             "result.sites[i] = result.hidden;\n  }"),
    "threshold ignored": (T + "sae/sparse_autoencoder.cc", "codes.masked_fill_(codes.le(threshold), 0);", ""),
    "no ReLU under a negative threshold": (T + "sae/sparse_autoencoder.cc", "return codes.clamp_min_(0);", "return codes;"),
    "kernel: threshold ignored": (T + "kernels/pointwise_rows.h", "pre <= LoadUpTo(span.threshold + i, lanes) ? Vec{} : pre", "pre"),
    "kernel: no ReLU under a negative threshold": (T + "kernels/pointwise_rows.h", "above < 0.0F ? Vec{} : above", "above"),
    "kernel: codes of another response": (T + "sae/pooled_features.cc", "owners.const_data_ptr<int64_t>() + block.row", "owners.const_data_ptr<int64_t>()"),
    "SAE: a block of columns in another's place": (T + "sae/pooled_features.cc", "sums.mutable_data_ptr<float>() + block.column",
                                                   "sums.mutable_data_ptr<float>()"),
    "SAE: columns of another response": (T + "sae/pooled_features.cc", "index_ = (owner_ - low)", "index_ = (owner_ - owner_)"),
    "SAE: decoder of another block": (T + "sae/sparse_autoencoder.cc", "decoder_.narrow(0, column, codes.size(1))", "decoder_.narrow(0, 0, codes.size(1))"),
    "TopK: of each block": (T + "sae/sparse_autoencoder.cc", "if (top.values.defined()) {", "if (false) {"),
    "SAE training: rows of a prompt one early": (T + "sae_training/activation_source.cc", "AppendRows(prompt + 1, prompt + static_cast",
                                                 "AppendRows(prompt, prompt - 1 + static_cast"),
    "SAE training: rows of a response one early": (T + "sae_training/activation_source.cc", "const int64_t response = prompt + place.first_row;",
                                                   "const int64_t response = prompt + place.first_row - 1;"),
    "SAE training: rows of a prompt's first response": (T + "sae_training/activation_source.cc", "const int64_t response = prompt + place.first_row;",
                                                        "const int64_t response = prompt + static_cast<int64_t>(sequences[i].prompt.size());"),
    "SAE training: rows of another prompt": (T + "sae_training/activation_source.cc", "packed.layout->first[place.group]", "packed.layout->first[0]"),
    "SAE training: rows of padding": (T + "sae_training/activation_source.cc", "AppendRows(begin + 1, begin + sequences[i].length(), &rows);",
                                      "AppendRows(begin + 1 + longest - sequences[i].length(), begin + longest, &rows);"),
    "SAE training: rows in the order of batches": (T + "sae_training/activation_source.cc", "rows[static_cast<size_t>(batch[i])] = read[i];",
                                                   "static size_t next = 0;\n      rows[next++ % group.size()] = read[i];"),
    "SAE training: pairs torn apart": (T + "sae_training/activation_source.cc", "units.back().front().prompt == sequence.prompt",
                                       "units.back().front().prompt.empty()"),
    "SAE training: data in its own order": (T + "sae_training/activation_source.cc", "std::swap(units_[i - 1], units_[random() % i]);", "random();"),
    "SAE training: never packed": (T + "sae_training/activation_source.cc", "PacksBatches(model_.device()) &&", "false &&"),
    "SAE training: packed with --plain": (T + "sae_training/activation_source.cc", "PacksBatches(model_.device()) &&", "true &&"),
    "SAE training: encoder of another block": (T + "sae/sae_objective.cc", "encoder.narrow(1, first, count)", "encoder.narrow(1, 0, count)"),
    "SAE training: L0 without its gradient": (T + "sae/sae_objective.cc", ".mul_(theta).add_(count)", ".mul_(theta)"),
    "TopK keeps every code": (T + "sae/sparse_autoencoder.cc", "if (top_k_ == 0) return", "if (top_k_ >= 0) return"),
    "pooling by the longest response": (T + "sae/pooled_features.cc", "ResponseSizes(input.response_of_row, input.responses).clamp_min(1)",
                                        "ResponseSizes(input.response_of_row, input.responses).max().expand({input.responses})"),
    "pooling over the rows that predict": (T + "reference/sequence_batch.cc", "part.logp_rows = part.response_rows - 1;",
                                           "part.logp_rows = part.response_rows - 1;\n  part.response_rows = part.logp_rows;"),
    "gradient through inactive features": (T + "sae/pooled_features.cc", "own.Active().to(type).mul_(own_shares)",
                                           "own_shares"),
    "gradient through features outside of the top k": (T + "sae/pooled_features.cc", "if (top_.defined()) {", "if (false) {"),
    # data
    "terminator dropped": (T + "data/admission.cc", "out->pair.chosen.assign(chosen.begin() + boundary, chosen.end());",
                           "out->pair.chosen.assign(chosen.begin() + boundary, chosen.end() - 1);"),
    "boundary one token late": (T + "data/admission.cc", "int64_t boundary = CommonHead(prompt, chosen);",
                                "int64_t boundary = CommonHead(prompt, chosen) + 1;"),
    # losses
    "dpo per token": (T + "loss/preference_loss.cc", '{Method::kDpo, "dpo", true, false', '{Method::kDpo, "dpo", true, true'),
    "fpo without length normalisation": (T + "loss/preference_loss.cc", '{Method::kFpo, "fpo", true, true', '{Method::kFpo, "fpo", true, false'),
    "gamma multiplied by beta": (T + "loss/preference_loss.cc", "at::full_like(terms.lpd, options.gamma)",
                                 "at::full_like(terms.lpd, options.gamma * options.beta)"),
    "constraint without beta": (T + "loss/preference_loss.cc", "(options.alpha * options.beta)", "options.alpha"),
    "constraint the wrong way round": (T + "loss/preference_loss.cc", "terms.lpd - terms.margin - terms.constraint", "terms.lpd - terms.margin + terms.constraint"),
    "no stop-gradient": (T + "loss/preference_loss.cc", "options.stop_gradient ? chosen.detach() : chosen", "chosen"),
    # a budget and sets of features
    "budget: the rejected side alone": (T + "loss/budget_penalty.cc", "(pairs.chosen.divergence + pairs.rejected.divergence) * (multiplier / 2)",
                                        "pairs.rejected.divergence * multiplier"),
    "budget: the sum of both sides": (T + "loss/budget_penalty.cc", "(multiplier / 2)", "multiplier"),
    "budget: the term stays in u": (T + "loss/preference_loss.cc", "  if (options.budget) return at::zeros_like(pairs.chosen.logp);\n", ""),
    "budget: the penalty without beta": (T + "loss/preference_loss.cc", "BudgetPenalty(pairs, options.alpha * options.beta)",
                                         "BudgetPenalty(pairs, options.alpha)"),
    "budget: a stop-gradient on the chosen side": (T + "runs/run_inputs.cc", "objective.preference.stop_gradient = false;", ""),
    "budget: alpha in nats": (T + "objective/divergence_budget.cc", "Lambda(state) / (beta_ * *budget_)", "Lambda(state) / beta_"),
    "budget: alpha without beta": (T + "objective/divergence_budget.cc", "Lambda(state) / (beta_ * *budget_)", "Lambda(state) / *budget_"),
    "budget: the integral of a logarithm": (T + "objective/divergence_budget.cc", "Rate(s) * Clipped(share - 1)", "Rate(s) * Clipped(std::log(share))"),
    "budget: the integral falls when D is too large": (T + "objective/divergence_budget.cc", "s.log_lambda + Rate(s)", "s.log_lambda - Rate(s)"),
    "budget: no proportional part": (T + "objective/divergence_budget.cc", "state.log_lambda + kGain * Clipped(state.share - 1)", "state.log_lambda"),
    "budget: the first value as if D were at the budget": (T + "objective/divergence_budget.cc", "fallen / std::sqrt(state.share)", "fallen"),
    "budget: never 0 again": (T + "objective/divergence_budget.cc", "if (state.log_lambda <= Bounded(-INFINITY, state)) return 0;", ""),
    "budget: not in the checkpoint": (T + "runs/training_state.cc", "if (budget.steps > 0)", "if (false)"),
    "early stop: the counter is not in the checkpoint": (T + "runs/training_state.cc", "if (early_stop != EarlyStopState{})", "if (false)"),
    "early stop: one evaluation late": (T + "objective/early_stop.h", "state.waited >= *patience_", "state.waited > *patience_"),
    "early stop: any improvement counts": (T + "objective/early_stop.cc", "gain > min_improvement_", "gain > 0"),
    "early stop: the best moves by what counts only": (T + "objective/early_stop.cc", "if (!is_better) return", "if (!improves) return"),
    "budget: the chosen side counts double": (T + "objective/divergence_budget.cc", "(chosen->second + rejected->second) / 2", "chosen->second"),
    "budget: the end is not moved": (T + "loop/trainer.cc", "  FPO_RETURN_IF_ERROR(EndOnBudget());\n", ""),
    "budget: moved towards the policy": (T + "loop/budget_end.cc", "at::lerp(origin, piece, factor)", "at::lerp(piece, origin, factor)"),
    "budget: moved from a model that is not the start": (T + "loop/budget_end.cc", "now.digest == policy.digest", "true"),
    "budget: D always grows as the square": (T + "objective/budget_landing.cc", "power = PowerOf(before, landing.after, factor);", "static_cast<void>(before);"),
    "budget: a bound that does not bind is reached for": (T + "objective/budget_landing.cc", "landing.factor == 1 && !binds", "false"),
    "budget: the checkpoint is moved too": (T + "loop/trainer.cc", "  return due ? WriteCheckpoint(ends) : absl::OkStatus();", "  if (moves) FPO_RETURN_IF_ERROR(EndOnBudget());\n  return due ? WriteCheckpoint(ends) : absl::OkStatus();"),
    "contract: sides exchanged": (T + "objective/feature_contract.cc", "contract.chosen ? 0 : half", "contract.chosen ? half : 0"),
    "contract: relative to the policy": (T + "objective/feature_contract.cc", "activation += std::abs(own[count + i])", "activation += std::abs(own[i])"),
    "contract: of the sums, not of the means": (T + "objective/feature_contract.cc", "std::abs(own[i] - own[count + i]) / responses", "std::abs(own[i] - own[count + i])"),
    "contract: moves cancel between features": (T + "objective/feature_contract.cc", "moved += std::abs(own[i] - own[count + i])", "moved += (own[i] - own[count + i])"),
    "contract: nothing read as no change": (T + "objective/feature_contract.cc", "if (contract.relative && activation == 0) {", "if (false) {"),
    "contract: parts of an evaluation forgotten": (T + "objective/feature_contract.cc", "packed_[i] += other.packed_[i];", "packed_[i] = other.packed_[i];"),
    "contract: the first SAE for all": (T + "objective/feature_contract.cc", "if (contract.sae == pooled.sae) {", "if (pooled.sae == 0) {"),
    "label smoothing on the wrong side": (T + "loss/pair_loss.cc", "loss = at::log_sigmoid(u) * (label_smoothing - 1)", "loss = at::log_sigmoid(u) * -label_smoothing"),
    "hinge without its margin": (T + "loss/pair_loss.cc", "at::threshold(1 - u, 0, 0)", "at::threshold(-u, 0, 0)"),
    "ipo of the scaled margin": (T + "loss/pair_loss.cc", "(u / options.beta - 1", "(u - 1"),
    "ipo's target twice as far": (T + "loss/pair_loss.cc", "1 / (2 * options.beta)", "1 / options.beta"),
    "robust adds the flipped loss": (T + "loss/pair_loss.cc", "(clean - flipped)", "(clean + flipped)"),
    "robust not divided by its share": (T + "loss/pair_loss.cc", " / (1 - 2 * label_smoothing)", ""),
    "the constraint of another method forgotten": (T + "loss/preference_loss.cc", "return row.kl || row.features || options.feature_constraint;",
                                                   "return row.kl || row.features;"),
    "orpo's odds without the complement": (T + "loss/preference_loss.cc", "return mean - at::log(-at::expm1(mean));", "return mean;"),
    "orpo's odds of the summed log-probs": (T + "loss/preference_loss.cc", "(side.logp / side.tokens).clamp_max", "side.logp.clamp_max"),
    "orpo without beta": (T + "loss/preference_loss.cc", "return LossOfMargin(u, {}) * options.beta;", "return LossOfMargin(u, {});"),
    "orpo without its SFT term": (T + "loss/preference_loss.cc", "options.method == Method::kOrpo ? 1 : options.sft_weight", "options.sft_weight"),
    "the SFT term as a mean over pairs": (T + "loss/preference_loss.cc", "SftLoss(weighted(pairs.chosen.logp), global.chosen_tokens)",
                                          "SftLoss(weighted(pairs.chosen.logp), global.pairs)"),
    "the SFT term of the rejected side": (T + "loss/preference_loss.cc", "SftLoss(weighted(pairs.chosen.logp)", "SftLoss(weighted(pairs.rejected.logp)"),
    "the SFT term left out of the metric": (T + "loss/preference_metrics.cc", "mean(kLoss) + sft * nll", "mean(kLoss)"),
    "tokens of this rank alone": (T + "loop/step_gradients.cc", "    FPO_RETURN_IF_ERROR(group.Sum(&sum));\n    global.chosen_tokens", "    global.chosen_tokens"),
    "kto: the KL of this rank alone": (T + "loop/step_gradients.cc", "    FPO_RETURN_IF_ERROR(group.Sum(&sum));\n    global.kl", "    global.kl"),
    "kto: the KL of the examples' own responses": (T + "objective/kto_objective.cc", "const std::vector<Sequence> sequences = Mismatched(examples);",
                                                   "const std::vector<Sequence> sequences = Labelled(examples);"),
    "kto: the KL may be negative": (T + "loss/kto_loss.cc", "std::max(sum_of_log_ratios / examples, 0.0)", "sum_of_log_ratios / examples"),
    "kto: the KL left out": (T + "loss/kto_loss.cc", "LogRatios(examples) - kl;", "LogRatios(examples) - 0 * kl;"),
    "kto: labels the other way round": (T + "loss/kto_loss.cc", "at::where(examples.desirable, -gain, gain)", "at::where(examples.desirable, gain, -gain)"),
    "kto: weights the other way round": (T + "loss/kto_loss.cc", "loss * options.desirable_weight,\n                   loss * options.undesirable_weight",
                                         "loss * options.undesirable_weight,\n                   loss * options.desirable_weight"),
    "kto: a response mismatched with its own prompt": (T + "data/mismatched_responses.cc", "while (at(prompts, ring[from % ring.size()]) == at(prompts, ring[i])) --from;", ""),
    "kto: a mismatched response beyond max_length": (T + "data/token_file.cc", "std::min(chosen_length_[other], max_length - prompt_length_[i])", "chosen_length_[other]"),
    "kto: bad responses are good ones": (T + "data/labelled_examples.cc", "examples[1].label = false;", "examples[1].label = true;"),
    "sft mean over responses": (T + "loss/preference_loss.cc", "return logp.sum() / -global_tokens;", "return -logp.mean();"),
    "distance divided by the features compared": (T + "loss/feature_constraint.cc", "squared.sum(1) / static_cast<double>(top_k);",
                                                  "squared.sum(1) / squared.ne(0).sum(1).clamp_min(1);"),
    "union takes the policy's features only": (T + "loss/feature_constraint.cc",
                                               "if (!one) {", "if (false) {"),
    "union counts a feature of both twice": (T + "loss/feature_constraint.cc", "1 - again.to(at::kDouble)",
                                             "at::ones(again.sizes(), selected.scale.options())"),
    "a feature that is not a number overlooked": (T + "loss/feature_constraint.cc", "std::isnan(values[i]) ? std::numeric_limits<T>::infinity() : values[i]",
                                                  "values[i]"),
    "host: one feature too few among equals": (T + "loss/feature_constraint.cc", "int64_t free = kept - std::count_if", "int64_t free = kept - 1 - std::count_if"),
    "feature ties to the highest index": (T + "loss/feature_constraint.cc", "equal.cumsum(1).le(free)",
                                          "equal.flip({1}).cumsum(1).flip({1}).le(free)"),
    "feature weights forgotten for chosen columns": (T + "loss/feature_constraint.cc", "if (weights.defined()) squared = squared", "if (false) squared = squared"),
    "KL the other way": (T + "ops/vocab_head.cc", "log_p.sub_(log_ref).neg_().mul_(log_ref.exp_()).sum(-1)",
                         "(log_p - log_ref).mul_(log_p.exp()).sum(-1)"),
    "KL gradient without the policy": (T + "ops/vocab_chunk.cc", "result.mul_((kappa - s).unsqueeze(1));", "result.mul_((-s).unsqueeze(1));"),
    "KL without the reference's softcap": (T + "ops/vocab_head.cc", "reference.softcap = options.reference.softcap;", ""),
    "a tie counted as a win": (T + "loss/preference_metrics.cc", "rewards.chosen.gt(rewards.rejected)", "rewards.chosen.ge(rewards.rejected)"),
    # optimiser and loop
    "mean over the micro-batch": (T + "objective/objective.cc", "part.loss = PreferenceLoss(options_.preference, values, global);",
                                  "part.loss = PreferenceLoss(options_.preference, values, {static_cast<double>(half)});"),
    "rmsprop epsilon inside the root": (T + "optim/rms_prop.cc", "square.sqrt().add_(options_.eps)", "square.add(options_.eps).sqrt()"),
    "weight decay of adamw in the gradient": (T + "optim/adam.cc", "decoupled_ ? at::_ops::_fused_adamw_::call", "false ? at::_ops::_fused_adamw_::call"),
    "kernel: adam without its bias correction": (T + "optim/adam.cc", "pace.lr / (1 - std::pow(options_.beta1, step))", "pace.lr"),
    "kernel: clip factor left out": (T + "optim/adam.cc", "values.gradient_scale = static_cast<float>(pace.scale);", "values.gradient_scale = 1;"),
    "checkpoint of tensors that change": (T + "saving/side_write.cc", "/*copy=*/true", "/*copy=*/false"),
    "step count not restored": (T + "parallel/sharded_update.cc", "optimizer_->Restored(step);", "optimizer_->Restored(0);"),
    "the first rank's gradients left out": (T + "parallel/gradient_exchange.cc", "sum.copy_(unit.out[rank++]);", "sum.copy_(unit.out[plan_.world() - 1 - rank++]);"),
}


def stale(wanted):
    """What of the list no longer fits the tree."""
    for name in wanted:
        path, before, after = MUTATIONS[name]
        count = (ROOT / path).read_text().count(before) if (ROOT / path).exists() else None
        if count is None:
            yield f"{name}: {path} does not exist"
        elif count != 1:
            yield f"{name}: {path} has {count} places that read {before!r}, expected one"
        if before == after:
            yield f"{name}: changes nothing"
    lists = "".join(path.read_text() for path in (ROOT / "tests").rglob("CMakeLists.txt"))
    for test in TESTS:
        if not re.search(rf"\bfpo_test\({test}\s", lists):
            yield f"no CMakeLists.txt has the test {test}"


def run(command, **options):
    return subprocess.run(command, cwd=COPY, text=True, capture_output=True, **options)


def make_copy():
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True, capture_output=True, check=True).stdout.split()
    for name in files:
        target = COPY / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != (ROOT / name).read_bytes():
            shutil.copyfile(ROOT / name, target)
        shutil.copymode(ROOT / name, target)
    configured = run(["cmake", "--preset", "trainer", "-DFPO_UNITY=ON"])  # a quarter of the time
    if configured.returncode != 0:
        sys.exit(configured.stderr)


def build(targets):
    environment = dict(os.environ, CCACHE_SLOPPINESS="pch_defines,time_macros", CCACHE_BASEDIR=str(COPY))
    return run(["ninja", "-j2", "-C", "build/trainer", *targets], env=environment)


def nearest_first(path):
    first = NEAREST[os.path.dirname(path)]
    return first + [test for test in TESTS if test not in first]


def failing_tests(test):
    """The first tests of this program that fail, or that it dies; empty when all pass."""
    environment = dict(os.environ, FPO_SOURCE_DIR=str(COPY), FPO_BIN_DIR=str(COPY / "build/trainer/bin"),
                       FPO_SHARED_DATA=str(ROOT / "../shared/data"))
    result = run([f"build/trainer/bin/{test}", "--gtest_brief=1"], env=environment, timeout=600)
    if result.returncode == 0:
        return ""
    lines = [line for line in result.stdout.splitlines() if line.startswith("[  FAILED  ] ") and "listed" not in line]
    names = sorted({line.split("] ")[1].split(",")[0].split(" (")[0] for line in lines if "." in line})
    return f"{test}: " + (", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "crashed")


def noticed_by(tests):
    """What the first of these programs that notices a mutation says; empty when none does."""
    for test in tests:
        built = build([test])
        if built.returncode != 0:
            return "DOES NOT COMPILE\n" + built.stdout[-1500:]
        try:
            failed = failing_tests(test)
        except subprocess.TimeoutExpired:
            failed = f"{test}: does not end"
        if failed:
            return failed
    return ""


def mutate(name):
    path, before, after = MUTATIONS[name]
    file = COPY / path
    text = file.read_text()
    file.write_text(text.replace(before, after))
    try:
        return noticed_by(nearest_first(path))
    finally:
        file.write_text(text)


def chosen(words):
    if words[:1] == ["--matching"]:
        return [name for name, (path, _, _) in MUTATIONS.items() if any(word in name or word in path for word in words[1:])]
    unknown = [name for name in words if name not in MUTATIONS]
    if unknown:
        sys.exit(f"no mutation {unknown[0]!r}; there are:\n  " + "\n  ".join(MUTATIONS))
    return words or list(MUTATIONS)


def main():
    list_check = sys.argv[1:] == ["--list-check"]
    wanted = list(MUTATIONS) if list_check else chosen(sys.argv[1:])
    if faults := list(stale(wanted)):
        sys.exit("\n".join(faults))
    if list_check:
        return
    make_copy()
    tests = list(dict.fromkeys(test for name in wanted for test in NEAREST[os.path.dirname(MUTATIONS[name][0])]))
    built = build([*tests, "fpo-train"])
    if built.returncode != 0:
        sys.exit("the unchanged tree does not build:\n" + built.stdout[-2000:])
    for test in tests:
        if failed := failing_tests(test):
            sys.exit("the unchanged tree does not pass: " + failed)
    survived = 0
    for name in wanted:
        caught = mutate(name)
        test = caught.split(":")[0]
        if test in TESTS and test not in tests:  # reached for the first time
            tests.append(test)
            if failed := build([test]).returncode or failing_tests(test):
                sys.exit(f"the unchanged tree does not pass: {failed}")
        survived += not caught or caught.startswith("DOES NOT")
        print(f"{name:48} {caught or 'SURVIVED'}", flush=True)
    print(f"{len(wanted)} mutations, {survived} survived")
    sys.exit(1 if survived else 0)


if __name__ == "__main__":
    main()

// How far bfloat16 is from float32 in the log-probability of a token, and what the head adds to it.
// usage: fpo_bf16_error MODEL IDS.jsonl   (rows with prompt_ids, chosen_ids, rejected_ids)

#include <ATen/ATen.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "train/loop/model_loader.h"
#include "train/ops/vocab_head.h"
#include "train/reference/response_scores.h"

namespace fpo::train {
namespace {

struct Ids {
  std::vector<int32_t> prompt, response;
};

std::vector<Ids> ReadIds(const std::string& path) {
  std::vector<Ids> all;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const auto row = nlohmann::json::parse(line);
    for (const char* side : {"chosen_ids", "rejected_ids"}) {
      all.push_back({row.at("prompt_ids"), row.at(side)});
    }
  }
  return all;
}

// Log-probs of the targets from whole logits, which may first be rounded to bfloat16.
at::Tensor PlainLogProbs(const at::Tensor& hidden, const Gemma& model, const at::Tensor& targets,
                         bool round, at::ScalarType type) {
  std::vector<at::Tensor> parts;
  const double cap = model.config().final_softcap.value_or(0);
  const at::Tensor head = model.head().to(type).t();
  for (int64_t first = 0; first < hidden.size(0); first += 64) {
    const int64_t count = std::min<int64_t>(64, hidden.size(0) - first);
    at::Tensor logits = hidden.narrow(0, first, count).to(type).mm(head);
    if (round) logits = logits.to(at::kBFloat16).to(type);
    if (cap > 0) logits = (logits / cap).tanh() * cap;
    if (round) logits = logits.to(at::kBFloat16).to(type);
    parts.push_back(
        at::log_softmax(logits, -1).gather(1, targets.narrow(0, first, count).unsqueeze(1)));
  }
  return at::cat(parts).squeeze(1).to(at::kDouble);
}

void Print(const char* what, const at::Tensor& error) {
  const at::Tensor size = error.abs();
  std::printf("%-58s mean %.2e  rms %.2e  p99 %.2e  max %.2e\n", what, size.mean().item<double>(),
              size.square().mean().sqrt().item<double>(), at::quantile(size, 0.99).item<double>(),
              size.max().item<double>());
}

int Measure(const std::string& folder, const std::string& data) {
  const at::NoGradGuard no_grad;
  const auto wide = LoadModel({folder, "float32"}), narrow = LoadModel({folder, "bfloat16"});
  if (!wide.ok() || !narrow.ok()) {
    std::fprintf(stderr, "%s\n", (wide.ok() ? narrow : wide).status().ToString().c_str());
    return 1;
  }
  std::vector<at::Tensor> wide_rows, narrow_rows, all_targets;
  for (const Ids& ids : ReadIds(data)) {
    const auto batch = MakeSequenceBatch({{ids.prompt, ids.response}}, at::kCPU);
    if (!batch.ok()) continue;
    wide_rows.push_back(ForwardRows(wide->model, *batch, {}).hidden);
    narrow_rows.push_back(ForwardRows(narrow->model, *batch, {}).hidden);
    all_targets.push_back(batch->targets);
  }
  const at::Tensor targets = at::cat(all_targets), rows = at::cat(narrow_rows);
  VocabHeadOptions head;
  head.softcap = wide->model.config().final_softcap.value_or(0);
  const auto score = [&](const at::Tensor& hidden, const Gemma& model) {
    return TokenLogProbs(hidden, model.head(), targets, head).log_probs.to(at::kDouble);
  };
  const at::Tensor base = score(at::cat(wide_rows), wide->model), bf16 = score(rows, narrow->model);
  const at::Tensor head64 = PlainLogProbs(rows, narrow->model, targets, false, at::kDouble);
  const at::Tensor rounded = PlainLogProbs(rows, narrow->model, targets, true, at::kFloat);
  std::printf("%lld tokens, nats per token\n", static_cast<long long>(base.numel()));
  Print("bfloat16 model, float32 logits, against float32", bf16 - base);
  Print("  of it the float32-logit head (against float64 logits)", bf16 - head64);
  Print("bfloat16 model, bfloat16 logits, against float32", rounded - base);
  Print("  of it the bfloat16 head (against float64 logits)", rounded - head64);
  return 0;
}

}  // namespace
}  // namespace fpo::train

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: fpo_bf16_error MODEL IDS.jsonl\n");
    return 2;
  }
  return fpo::train::Measure(argv[1], argv[2]);
}

#include "common/job/sections/adapter_fields.h"

#include <algorithm>
#include <array>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace fpo {
namespace {

// What is wrong with them, to stand behind the key; empty: nothing.
std::string UnknownTarget(const std::vector<std::string>& targets) {
  constexpr std::array<absl::string_view, 8> kWords = {
      "all-linear", "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};
  if (targets.empty()) return "is empty; all-linear adapts every projection";
  for (const std::string& target : targets) {
    if (std::find(kWords.begin(), kWords.end(), target) != kWords.end()) continue;
    return absl::StrCat("\"", target, "\" is not one of ", absl::StrJoin(kWords, ", "));
  }
  return "";
}

}  // namespace

JobEntry AdapterEntry(AdapterSection* s) {
  JobField kind = {"kind",
                   &s->kind,
                   "lora: the memory of one copy of the model; qlora: of a quarter of it or less",
                   {"none", "lora", "qlora"}};
  kind.unwritten = "\"none\"";
  JobField twice = {"double_quantization", &s->double_quantization,
                    "of qlora: the magnitudes of its blocks are quantised too"};
  twice.unwritten = "true";
  return {JobEntry::Kind::kSection,
          "adapter",
          "trains low-rank matrices beside the frozen weights; absent: the weights themselves",
          {kind,
           {"rank", &s->rank, "of the matrices", {}, 1, 4096},
           {"alpha", &s->alpha, "their product is scaled by alpha / rank", {}, 1e-6, 1e6},
           {"targets", &s->targets,
            "all-linear, or of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"},
           {"dropout",
            &s->dropout,
            "0: a policy with dropout would not start as its reference",
            {},
            0,
            0},
           {"path",
            &s->path,
            "a folder in PEFT's form (adapter_config.json) to go on from",
            {},
            -std::numeric_limits<double>::infinity(),
            std::numeric_limits<double>::infinity(),
            "a new one"},
           twice}};
}

std::vector<JobProblem> AdapterProblems(const JobConfig& config) {
  const AdapterSection& adapter = config.adapter;
  std::vector<JobProblem> problems;
  const auto complain = [&](const char* key, std::string message) {
    problems.push_back({0, key, std::move(message)});
  };
  const bool packs = adapter.kind == "qlora";
  if (!adapter.on()) {
    if (!adapter.path.empty()) {
      complain("adapter.path",
               "is read with adapter.kind: lora or qlora; add that, or leave it out");
    }
    return problems;
  }
  // A job of records needs to know how the reference's weights are kept.
  if (config.kind != "train" && !(packs && config.kind == "reference")) {
    complain("adapter.kind",
             absl::StrCat("kind ", config.kind, " trains no adapter: leave it out"));
  }
  if (!packs && !adapter.double_quantization) {
    complain("adapter.double_quantization", "is of adapter.kind: qlora");
  }
  const std::string wrong = UnknownTarget(adapter.targets);
  if (!wrong.empty()) complain("adapter.targets", wrong);
  return problems;
}

}  // namespace fpo

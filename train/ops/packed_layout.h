#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace fpo::train {

// A prompt and the responses to it, one after another in a packed batch: the prompt is computed
// once. Each response continues at the prompt's end; it sees the prompt and itself.
struct PackedGroup {
  int64_t prompt = 0;              // rows; positions 0 .. prompt - 1
  std::vector<int64_t> responses;  // rows of each; positions from `prompt` on
};

struct AttentionPlan;

// Groups one after another, without padding. Immutable but for the plans, which are made when they
// are first asked for, by one thread at a time.
struct PackedLayout {
  std::vector<PackedGroup> groups;
  std::vector<int64_t> first;  // row where each group begins
  int64_t rows = 0;
  int64_t longest = 0;   // positions of the longest prompt and response
  at::Tensor positions;  // [rows] int64

  // The rows that predict or are a response token, in order: of each prompt the last one alone, and
  // all of the responses. What a model computes after its last attention is for them.
  int64_t kept_rows = 0;
  std::vector<int64_t> first_kept;  // where each group begins among them
  at::Tensor kept;                  // [kept_rows] int64, into the rows

  mutable std::shared_ptr<const AttentionPlan> plan, plan_of_kept;  // fused_attention.h

  static std::shared_ptr<const PackedLayout> Of(std::vector<PackedGroup> groups,
                                                at::Device device = at::kCPU);
};

}  // namespace fpo::train

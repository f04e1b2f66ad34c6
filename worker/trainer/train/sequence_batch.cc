#include "worker/trainer/train/sequence_batch.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace fpo::train {

absl::StatusOr<SequenceBatch> MakeSequenceBatch(const std::vector<Sequence>& sequences,
                                                at::Device device) {
  SequenceBatch batch;
  batch.sequences = static_cast<int64_t>(sequences.size());
  int64_t longest = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const Sequence& sequence = sequences[i];
    if (sequence.prompt.empty() || sequence.response.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("sequence ", i, " of the batch has ", sequence.prompt.size(),
                       " prompt ids and ", sequence.response.size(),
                       " response ids; both need at least one (a prompt starts with "
                       "BOS)"));
    }
    longest = std::max(longest, sequence.length());
    batch.rows += static_cast<int64_t>(sequence.response.size());
    batch.real_tokens += sequence.length();
  }
  at::Tensor ids = at::zeros({batch.sequences, longest}, at::kLong);
  at::Tensor table = at::empty({4, batch.rows}, at::kLong);
  at::Tensor tokens = at::empty({batch.sequences}, at::kDouble);
  int64_t* logp_row = table.data_ptr<int64_t>();
  int64_t* response_row = logp_row + batch.rows;
  int64_t* target = response_row + batch.rows;
  int64_t* owner = target + batch.rows;
  for (int64_t i = 0; i < batch.sequences; ++i) {
    const Sequence& sequence = sequences[i];
    int64_t* row = ids.data_ptr<int64_t>() + i * longest;
    std::copy(sequence.prompt.begin(), sequence.prompt.end(), row);
    std::copy(sequence.response.begin(), sequence.response.end(), row + sequence.prompt.size());
    tokens.data_ptr<double>()[i] = static_cast<double>(sequence.response.size());
    int64_t position = i * longest + static_cast<int64_t>(sequence.prompt.size());
    for (const int32_t id : sequence.response) {
      *logp_row++ = position - 1;
      *response_row++ = position++;
      *target++ = id;
      *owner++ = i;
    }
  }
  table = table.to(device);
  batch.ids = ids.to(device);
  batch.logp_rows = table.select(0, 0);
  batch.response_rows = table.select(0, 1);
  batch.targets = table.select(0, 2);
  batch.response_of_row = table.select(0, 3);
  batch.tokens = tokens.to(device);
  return batch;
}

std::vector<std::vector<int64_t>> GroupByLength(const std::vector<int64_t>& lengths,
                                                int64_t tokens) {
  std::vector<int64_t> order(lengths.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return lengths[a] > lengths[b]; });
  std::vector<std::vector<int64_t>> groups;
  int64_t longest = 0;
  for (const int64_t position : order) {
    const bool fits =
        !groups.empty() && longest * static_cast<int64_t>(groups.back().size() + 1) <= tokens;
    if (!fits) {
      groups.emplace_back();
      longest = lengths[position];
    }
    groups.back().push_back(position);
  }
  return groups;
}

}  // namespace fpo::train

#include "train/reference/sequence_batch.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "train/data/context_id.h"
#include "train/ops/fast_paths.h"

namespace fpo::train {
namespace {

// Measured on two cores: some hundred small operator calls cost as much as this many tokens.
constexpr int64_t kCpuPartCost = 32;

std::vector<int64_t> LongestFirst(const std::vector<int64_t>& lengths) {
  std::vector<int64_t> order(lengths.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return lengths[a] > lengths[b]; });
  return order;
}

int64_t GreatestId(const Sequence& sequence) {
  uint32_t greatest = 0;
  for (const int32_t id : sequence.prompt) greatest = std::max(greatest, static_cast<uint32_t>(id));
  for (const int32_t id : sequence.response) {
    greatest = std::max(greatest, static_cast<uint32_t>(TokenOf(id)));
  }
  return greatest;
}

absl::Status CheckSequences(const std::vector<Sequence>& sequences) {
  for (size_t i = 0; i < sequences.size(); ++i) {
    if (!sequences[i].prompt.empty() && ScoredTokens(sequences[i].response) > 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("sequence ", i, " of the batch has ", sequences[i].prompt.size(),
                     " prompt ids and ", ScoredTokens(sequences[i].response),
                     " response ids; both need at least one (a prompt starts with BOS)"));
  }
  return absl::OkStatus();
}

// `first_row[i]`: where sequence i's rows begin in sequence order. Appends the positions of this
// part's rows, in part order, to `sequence_row`.
BatchPart MakePart(const std::vector<Sequence>& sequences, const std::vector<int64_t>& members,
                   const std::vector<int64_t>& first_row, std::vector<int64_t>* sequence_row) {
  std::vector<Sequence> own;
  for (const int64_t member : members) own.push_back(sequences[member]);
  const at::Tensor ids = PadSequences(own);
  std::vector<int64_t> rows;
  for (size_t i = 0; i < own.size(); ++i) {
    const int64_t begin = static_cast<int64_t>(i) * ids.size(1);
    const int64_t response = begin + static_cast<int64_t>(own[i].prompt.size());
    int64_t next_row = first_row[members[i]];
    for (size_t t = 0; t < own[i].response.size(); ++t) {
      if (IsContextId(own[i].response[t])) continue;
      rows.push_back(response + static_cast<int64_t>(t));
      sequence_row->push_back(next_row++);
    }
  }
  BatchPart part;
  part.ids = ids;
  part.response_rows = at::tensor(rows, at::kLong);
  part.logp_rows = part.response_rows - 1;
  return part;
}

// Groups responses to equal prompts, both in the order in which they occur.
std::vector<PackedPlace> GroupByPrompt(const std::vector<Sequence>& sequences,
                                       std::vector<PackedGroup>* groups) {
  absl::flat_hash_map<absl::Span<const int32_t>, size_t> group_of;
  std::vector<PackedPlace> places;
  std::vector<int64_t> next_row;  // per group
  for (const Sequence& sequence : sequences) {
    const auto [found, is_new] = group_of.emplace(sequence.prompt, groups->size());
    if (is_new) {
      groups->push_back({static_cast<int64_t>(sequence.prompt.size()), {}});
      next_row.push_back(groups->back().prompt);
    }
    const size_t group = found->second;
    const auto rows = static_cast<int64_t>(sequence.response.size());
    places.push_back({group, next_row[group]});
    if (rows > 0) (*groups)[group].responses.push_back(rows);
    next_row[group] += rows;
  }
  return places;
}

BatchPart MakePackedPart(const std::vector<Sequence>& sequences, at::Device device) {
  const PackedSequences packed = PackSequences(sequences, device);
  BatchPart part;
  part.layout = packed.layout;
  part.ids = packed.ids;
  std::vector<int64_t> logp_rows, response_rows;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const auto& [prompt, response] = sequences[i];
    const PackedPlace& place = packed.places[i];
    // The prompt's last row predicts the first token of each response to it.
    const int64_t kept = part.layout->first_kept[place.group];
    const int64_t skipped = static_cast<int64_t>(prompt.size()) - 1;  // rows of the prompt
    int64_t before = kept;
    for (size_t t = 0; t < response.size(); ++t) {
      const int64_t row = kept + place.first_row - skipped + static_cast<int64_t>(t);
      if (!IsContextId(response[t])) {
        logp_rows.push_back(before);
        response_rows.push_back(row);
      }
      before = row;
    }
  }
  part.logp_rows = at::tensor(logp_rows, at::kLong);
  part.response_rows = at::tensor(response_rows, at::kLong);
  return part;
}

// Targets, owners and lengths, in sequence order.
void FillRows(const std::vector<Sequence>& sequences, SequenceBatch* batch) {
  at::Tensor targets = at::empty({batch->rows}, at::kLong);
  at::Tensor owners = at::empty({batch->rows}, at::kLong);
  at::Tensor tokens = at::empty({batch->sequences}, at::kDouble);
  int64_t* target = targets.data_ptr<int64_t>();
  int64_t* owner = owners.data_ptr<int64_t>();
  for (int64_t i = 0; i < batch->sequences; ++i) {
    const auto& response = sequences[i].response;
    const int64_t scored = ScoredTokens(response);
    target = std::remove_copy_if(response.begin(), response.end(), target, IsContextId);
    owner = std::fill_n(owner, scored, i);
    tokens.data_ptr<double>()[i] = static_cast<double>(scored);
  }
  batch->targets = targets;
  batch->response_of_row = owners;
  batch->tokens = tokens;
}

void MoveTo(at::Device device, SequenceBatch* batch) {
  if (device.is_cpu()) return;
  for (BatchPart& part : batch->parts) {
    for (at::Tensor* tensor : {&part.ids, &part.logp_rows, &part.response_rows}) {
      *tensor = tensor->to(device);
    }
  }
  for (at::Tensor* tensor :
       {&batch->row_order, &batch->targets, &batch->response_of_row, &batch->tokens}) {
    if (tensor->defined()) *tensor = tensor->to(device);
  }
}

}  // namespace

PackedSequences PackSequences(const std::vector<Sequence>& sequences, at::Device device) {
  PackedSequences packed;
  std::vector<PackedGroup> groups;
  packed.places = GroupByPrompt(sequences, &groups);
  packed.layout = PackedLayout::Of(std::move(groups), device);
  packed.ids = at::empty({1, packed.layout->rows}, at::kLong);
  int64_t* const ids = packed.ids.data_ptr<int64_t>();
  for (size_t i = 0; i < sequences.size(); ++i) {
    const auto& [prompt, response] = sequences[i];
    const int64_t begin = packed.layout->first[packed.places[i].group];
    std::copy(prompt.begin(), prompt.end(), ids + begin);
    std::transform(response.begin(), response.end(), ids + begin + packed.places[i].first_row,
                   TokenOf);
  }
  return packed;
}

at::Tensor PadSequences(const std::vector<Sequence>& sequences) {
  int64_t longest = 0;
  for (const Sequence& sequence : sequences) longest = std::max(longest, sequence.length());
  at::Tensor ids = at::zeros({static_cast<int64_t>(sequences.size()), longest}, at::kLong);
  int64_t* row = ids.data_ptr<int64_t>();
  for (const auto& [prompt, response] : sequences) {
    std::copy(prompt.begin(), prompt.end(), row);
    std::transform(response.begin(), response.end(), row + prompt.size(), TokenOf);
    row += longest;
  }
  return ids;
}

absl::StatusOr<SequenceBatch> MakeSequenceBatch(const std::vector<Sequence>& sequences,
                                                at::Device device,
                                                std::optional<int64_t> part_cost) {
  FPO_RETURN_IF_ERROR(CheckSequences(sequences));
  SequenceBatch batch;
  batch.sequences = static_cast<int64_t>(sequences.size());
  std::vector<int64_t> lengths;
  for (const Sequence& sequence : sequences) {
    lengths.push_back(sequence.length());
    batch.first_row.push_back(batch.rows);
    batch.rows += ScoredTokens(sequence.response);
    batch.real_tokens += sequence.length();
    batch.greatest_id = std::max(batch.greatest_id, GreatestId(sequence));
  }
  FillRows(sequences, &batch);
  if (PacksBatches(device) && !part_cost.has_value()) {
    batch.parts.push_back(MakePackedPart(sequences, device));
    batch.computed_tokens = batch.parts.back().ids.numel();
    MoveTo(device, &batch);
    return batch;
  }
  const int64_t cost = part_cost.value_or(device.is_cpu() ? kCpuPartCost : int64_t{1} << 40);
  std::vector<int64_t> sequence_row;
  for (std::vector<int64_t>& members : CutIntoParts(lengths, cost)) {
    std::sort(members.begin(), members.end());  // one part alone is then in sequence order
    batch.parts.push_back(MakePart(sequences, members, batch.first_row, &sequence_row));
    batch.computed_tokens += batch.parts.back().ids.numel();
  }
  if (batch.parts.size() > 1) {
    batch.row_order = at::empty({batch.rows}, at::kLong);
    int64_t* order = batch.row_order.data_ptr<int64_t>();
    for (int64_t place = 0; place < batch.rows; ++place) order[sequence_row[place]] = place;
  }
  MoveTo(device, &batch);
  return batch;
}

// Optimal parts of sequences sorted by length are contiguous: the classic segmentation, best[i] for
// the first i of them.
std::vector<std::vector<int64_t>> CutIntoParts(const std::vector<int64_t>& lengths,
                                               int64_t part_cost) {
  const std::vector<int64_t> order = LongestFirst(lengths);
  const size_t count = order.size();
  std::vector<int64_t> best(count + 1, std::numeric_limits<int64_t>::max()), from(count + 1, 0);
  best[0] = 0;
  for (size_t end = 1; end <= count; ++end) {
    for (size_t begin = 0; begin < end; ++begin) {
      const int64_t cost =
          best[begin] + part_cost + lengths[order[begin]] * static_cast<int64_t>(end - begin);
      if (cost >= best[end]) continue;
      best[end] = cost;
      from[end] = static_cast<int64_t>(begin);
    }
  }
  std::vector<std::vector<int64_t>> parts;
  for (int64_t end = static_cast<int64_t>(count); end > 0; end = from[end]) {
    parts.emplace_back(order.begin() + from[end], order.begin() + end);
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

// On a GPU attention by sequences takes a call for each, unless one kernel computes all.
bool PacksBatches(at::Device device) {
  const FastPaths paths = ActiveFastPaths();
  return paths.packed && (device.is_cpu() || (device.is_cuda() && paths.fused_attention));
}

std::vector<std::vector<int64_t>> GroupPacked(const std::vector<Sequence>& sequences,
                                              int64_t tokens) {
  std::vector<std::vector<int64_t>> groups;
  absl::flat_hash_set<absl::Span<const int32_t>> prompts;  // of the last group
  int64_t room = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const auto& [prompt, response] = sequences[i];
    const auto prompt_rows = static_cast<int64_t>(prompt.size());
    const auto rows = static_cast<int64_t>(response.size());
    if (groups.empty() || rows + (prompts.contains(prompt) ? 0 : prompt_rows) > room) {
      groups.emplace_back();
      prompts.clear();
      room = std::max(tokens, prompt_rows + rows);
    }
    if (prompts.insert(prompt).second) room -= prompt_rows;
    room -= rows;
    groups.back().push_back(static_cast<int64_t>(i));
  }
  return groups;
}

std::vector<std::vector<int64_t>> GroupByLength(const std::vector<int64_t>& lengths,
                                                int64_t tokens) {
  std::vector<std::vector<int64_t>> groups;
  int64_t longest = 0;
  for (const int64_t position : LongestFirst(lengths)) {
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

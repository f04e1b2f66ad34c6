#include "train/sae_training/activation_source.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/work.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

std::vector<std::vector<Sequence>> PairsOfOnePrompt(const std::vector<Sequence>& sequences) {
  std::vector<std::vector<Sequence>> units;
  for (const Sequence& sequence : sequences) {
    if (sequence.length() <= 1) continue;  // nothing but the first token
    const bool second = !units.empty() && units.back().size() == 1 &&
                        units.back().front().prompt == sequence.prompt;
    if (!second) units.emplace_back();
    units.back().push_back(sequence);
  }
  return units;
}

// Positions in `group` of each batch.
std::vector<std::vector<int64_t>> BatchesOf(const std::vector<Sequence>& group, int64_t tokens,
                                            bool packed) {
  if (packed) return GroupPacked(group, tokens);
  std::vector<int64_t> lengths;
  for (const Sequence& sequence : group) lengths.push_back(sequence.length());
  return GroupByLength(lengths, tokens);
}

std::vector<Sequence> Members(const std::vector<Sequence>& sequences,
                              const std::vector<int64_t>& positions) {
  std::vector<Sequence> members;
  for (const int64_t position : positions) {
    members.push_back(sequences[static_cast<size_t>(position)]);
  }
  return members;
}

void AppendRows(int64_t begin, int64_t end, std::vector<int64_t>* rows) {
  for (int64_t row = begin; row < end; ++row) rows->push_back(row);
}

// The rows of all tokens but the first ones, in the order of the sequences.
std::vector<int64_t> PackedRows(const std::vector<Sequence>& sequences,
                                const PackedSequences& packed) {
  std::vector<int64_t> rows;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const PackedPlace& place = packed.places[i];
    const int64_t prompt = packed.layout->first[place.group];
    const int64_t response = prompt + place.first_row;
    AppendRows(prompt + 1, prompt + static_cast<int64_t>(sequences[i].prompt.size()), &rows);
    AppendRows(response, response + static_cast<int64_t>(sequences[i].response.size()), &rows);
  }
  return rows;
}

std::vector<int64_t> PaddedRows(const std::vector<Sequence>& sequences, int64_t longest) {
  std::vector<int64_t> rows;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const int64_t begin = static_cast<int64_t>(i) * longest;
    AppendRows(begin + 1, begin + sequences[i].length(), &rows);
  }
  return rows;
}

}  // namespace

ActivationSource::ActivationSource(const Gemma& model, const std::vector<Sequence>& sequences,
                                   Options options)
    : model_(model),
      options_(options),
      units_(PairsOfOnePrompt(sequences)),
      generator_(at::detail::createCPUGenerator(options.seed)) {
  for (const Sequence& sequence : sequences) {
    rows_in_all_ += std::max<int64_t>(sequence.length() - 1, 0);
  }
  const int64_t bytes = rows_in_all_ * width() * static_cast<int64_t>(sizeof(float));
  keeps_all_ = options_.rows_wanted >= rows_in_all_ && bytes <= options_.memory_bytes_max;
}

// Shuffles the data and cuts it into groups. These do not depend on how they are computed, and hold
// several batches where the buffer has room, so that padded ones have sequences of similar length.
void ActivationSource::BeginPass() {
  std::mt19937_64 random(options_.seed + 0x9E3779B97F4A7C15ull * ++passes_);
  for (size_t i = units_.size(); i > 1; --i) std::swap(units_[i - 1], units_[random() % i]);
  std::vector<Sequence> ordered;
  for (const std::vector<Sequence>& unit : units_) {
    ordered.insert(ordered.end(), unit.begin(), unit.end());
  }
  groups_.clear();
  const int64_t tokens = std::max(options_.tokens_per_batch, options_.buffer_rows / 4);
  for (const std::vector<int64_t>& group : GroupPacked(ordered, tokens)) {
    groups_.push_back(Members(ordered, group));
  }
  next_group_ = 0;
}

// The rows of each sequence of the batch, [length - 1, width] float32.
std::vector<at::Tensor> ActivationSource::Forward(const std::vector<Sequence>& batch, bool packed) {
  ForwardOptions forward;
  forward.taps = {options_.tap};
  forward.sites_only = true;
  at::Tensor ids;
  std::vector<int64_t> rows, counts;
  if (packed) {
    const PackedSequences all = PackSequences(batch, model_.device());
    forward.layout = all.layout;
    ids = all.ids;
    rows = PackedRows(batch, all);
  } else {
    ids = PadSequences(batch);
    rows = PaddedRows(batch, ids.size(1));
  }
  for (const Sequence& sequence : batch) counts.push_back(sequence.length() - 1);
  tokens_computed_ += ids.numel();
  const at::Tensor site = model_.Forward(ids.to(model_.device()), forward).sites.front();
  const at::Tensor index = at::tensor(rows, at::kLong).to(model_.device());
  return site.flatten(0, 1).index_select(0, index).to(at::kFloat).split_with_sizes(counts);
}

// The same of a group, in its order.
std::vector<at::Tensor> ActivationSource::ReadGroup(const std::vector<Sequence>& group) {
  const bool packed =
      PacksBatches(model_.device()) &&
      std::none_of(group.begin(), group.end(), [](const Sequence& s) { return s.prompt.empty(); });
  std::vector<at::Tensor> rows(group.size());
  for (const std::vector<int64_t>& batch : BatchesOf(group, options_.tokens_per_batch, packed)) {
    const std::vector<at::Tensor> read = Forward(Members(group, batch), packed);
    for (size_t i = 0; i < batch.size(); ++i) {
      rows[static_cast<size_t>(batch[i])] = read[i];
      AdvanceWork(read[i].size(0));
    }
  }
  return rows;
}

// Appends at least `rows` rows of the next groups.
void ActivationSource::ReadGroups(int64_t rows, std::vector<at::Tensor>* parts) {
  const at::NoGradGuard no_grad;
  const Work work("collecting activations", rows, "tokens");
  while (rows > 0) {
    if (next_group_ == groups_.size()) BeginPass();
    for (const at::Tensor& part : ReadGroup(groups_[next_group_++])) {
      rows -= part.size(0);
      rows_read_ += part.size(0);
      parts->push_back(part);
    }
  }
}

void ActivationSource::Shuffle(const at::Tensor& rows) {
  const at::Tensor order = at::randperm(rows.size(0), generator_, at::kLong);
  buffer_ = rows.index_select(0, order.to(rows.device()));
  next_row_ = 0;
}

absl::Status ActivationSource::Refill() {
  if (rows_in_all_ == 0) {
    return absl::InvalidArgumentError("the data has no sequence of two or more tokens");
  }
  std::vector<at::Tensor> parts;
  if (keeps_all_) {
    if (!all_.defined()) {
      ReadGroups(rows_in_all_, &parts);
      all_ = at::cat(parts);
    }
    Shuffle(all_);
    return absl::OkStatus();
  }
  int64_t have = 0;
  if (buffer_.defined()) {
    parts.push_back(buffer_.narrow(0, next_row_, buffer_.size(0) - next_row_));
    have = parts.back().size(0);
  }
  ReadGroups(options_.buffer_rows - have, &parts);
  Shuffle(at::cat(parts));
  return absl::OkStatus();
}

absl::StatusOr<at::Tensor> ActivationSource::Next(int64_t count) {
  if (2 * count > options_.buffer_rows) {
    return absl::InvalidArgumentError(
        absl::StrCat("a batch of ", count, " rows needs a buffer of at least twice that; it has ",
                     options_.buffer_rows));
  }
  const int64_t left = buffer_.defined() ? buffer_.size(0) - next_row_ : 0;
  const bool half_gone = !keeps_all_ && left < options_.buffer_rows / 2;
  if (half_gone || left < count) FPO_RETURN_IF_ERROR(Refill());
  if (buffer_.size(0) < count) return buffer_;  // the whole of a small data set
  at::Tensor rows = buffer_.narrow(0, next_row_, count);
  next_row_ += count;
  return rows;
}

}  // namespace fpo::train

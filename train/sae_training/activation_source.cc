#include "train/sae_training/activation_source.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/data/context_id.h"

namespace fpo::train {

ActivationSource::ActivationSource(const Gemma& model, std::vector<Sequence> sequences,
                                   Options options)
    : model_(model),
      sequences_(std::move(sequences)),
      options_(options),
      generator_(at::detail::createCPUGenerator(options.seed)) {
  std::vector<int64_t> lengths;
  for (const Sequence& sequence : sequences_) {
    lengths.push_back(sequence.length());
    rows_in_all_ += std::max<int64_t>(sequence.length() - 1, 0);
  }
  const int64_t bytes = rows_in_all_ * width() * static_cast<int64_t>(sizeof(float));
  keeps_all_ = options_.rows_wanted >= rows_in_all_ && bytes <= options_.memory_bytes_max;
  groups_ = GroupByLength(lengths, options_.tokens_per_batch);
  order_.resize(groups_.size());
  std::iota(order_.begin(), order_.end(), 0);
  next_group_ = order_.size();
}

at::Tensor ActivationSource::Forward(const std::vector<Sequence>& group) const {
  int64_t longest = 0;
  for (const Sequence& sequence : group) longest = std::max(longest, sequence.length());
  at::Tensor ids = at::zeros({static_cast<int64_t>(group.size()), longest}, at::kLong);
  std::vector<int64_t> rows;
  for (size_t i = 0; i < group.size(); ++i) {
    const int64_t begin = static_cast<int64_t>(i) * longest;
    int64_t* row = ids.data_ptr<int64_t>() + begin;
    std::copy(group[i].prompt.begin(), group[i].prompt.end(), row);
    std::transform(group[i].response.begin(), group[i].response.end(), row + group[i].prompt.size(),
                   TokenOf);
    for (int64_t t = 1; t < group[i].length(); ++t) rows.push_back(begin + t);
  }
  ForwardOptions forward;
  forward.taps = {options_.tap};
  const at::Tensor site = model_.Forward(ids.to(model_.device()), forward).sites.front();
  const at::Tensor index = at::tensor(rows, at::kLong).to(model_.device());
  return site.flatten(0, 1).index_select(0, index).to(at::kFloat);
}

// Appends at least `rows` rows of the next groups.
void ActivationSource::ReadGroups(int64_t rows, std::vector<at::Tensor>* parts) {
  const at::NoGradGuard no_grad;
  Work work("collecting activations", rows, "tokens");
  while (rows > 0) {
    if (next_group_ == order_.size()) {
      std::mt19937_64 random(options_.seed + 0x9E3779B97F4A7C15ull * ++passes_);
      for (size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[random() % i]);
      next_group_ = 0;
    }
    std::vector<Sequence> group;
    for (const int64_t position : groups_[order_[next_group_++]]) {
      if (sequences_[position].length() > 1) group.push_back(sequences_[position]);
    }
    if (group.empty()) continue;
    parts->push_back(Forward(group));
    rows -= parts->back().size(0);
    rows_read_ += parts->back().size(0);
    work.Advance(parts->back().size(0));
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

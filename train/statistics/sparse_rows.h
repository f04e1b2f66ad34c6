#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"

namespace fpo::train {

// (column, value), the columns strictly increasing, values not 0.
using SparseRow = std::vector<std::pair<uint32_t, float>>;

// Rows of a matrix, one after the other.
class SparseRows {
 public:
  void Add(const SparseRow& row) {
    entries_.insert(entries_.end(), row.begin(), row.end());
    ends_.push_back(entries_.size());
  }
  int64_t size() const { return static_cast<int64_t>(ends_.size()); }
  absl::Span<const std::pair<uint32_t, float>> row(int64_t index) const {
    const auto i = static_cast<size_t>(index);
    const size_t begin = i == 0 ? 0 : ends_[i - 1];
    return absl::MakeConstSpan(entries_).subspan(begin, ends_[i] - begin);
  }

 private:
  SparseRow entries_;
  std::vector<size_t> ends_;
};

inline double Dot(absl::Span<const std::pair<uint32_t, float>> row,
                  absl::Span<const double> weights) {
  double sum = 0;
  for (const auto& [column, value] : row) sum += value * weights[column];
  return sum;
}

}  // namespace fpo::train

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/reference/record_file.h"
#include "train/data/token_file.h"
#include "train/statistics/sparse_rows.h"

namespace fpo::train {

// Pairs as differences of what the reference records say of their sides: a column for each pooled
// feature, then kPlainColumns. Not thread-safe.
class PairFeatures {
 public:
  enum Plain { kLength, kLogp, kLogpPerToken, kPlainColumns };
  static const char* PlainName(int64_t plain);

  // `widths`: features of each SAE, in recipe order. What is passed outlives the object.
  PairFeatures(const RecordFile& records, const TokenFile& pairs, std::vector<int64_t> widths);

  int64_t features() const { return features_; }
  int64_t columns() const { return features_ + kPlainColumns; }
  // "feature 7", of several SAEs "sae 1 feature 7".
  std::string NameOf(int64_t column) const;
  struct Place {
    size_t sae = 0;
    int64_t feature = 0;
  };
  Place PlaceOf(int64_t column) const;  // of a feature

  struct Row {
    SparseRow differences;  // chosen minus rejected
    double length = 0;      // log(tokens of chosen / tokens of rejected)
    double logp = 0;        // of the reference: chosen minus rejected, nats
    double logp_per_token = 0;
    int64_t chosen_tokens = 0, rejected_tokens = 0;
  };
  // NotFound names the key of a side without a record; DataLoss.
  absl::StatusOr<Row> At(int64_t pair) const;

 private:
  absl::StatusOr<Record> Side(const TokenPairView& pair, bool chosen) const;

  const RecordFile& records_;
  const TokenFile& pairs_;
  const std::vector<int64_t> widths_;
  int64_t features_ = 0;
};

}  // namespace fpo::train

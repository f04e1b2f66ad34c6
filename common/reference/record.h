#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/hash.h"

namespace fpo {

// What the frozen reference says about one response: enough for DPO, length-normalised DPO and FPO
// with any alpha, beta and k.
struct Record {
  double sum_logp = 0;  // sum over response tokens, nats
  uint32_t tokens = 0;  // response tokens, terminator included
  // One list per SAE of the recipe, in recipe order: pooled activations as (index, value), strictly
  // increasing index, value != 0.
  std::vector<std::vector<std::pair<uint32_t, float>>> features;

  bool operator==(const Record&) const = default;
};

// Bytes: version u8 = 1, sum_logp f64 LE, tokens varint, SAE count varint, then per SAE: entry
// count varint, index deltas as varints (the first from 0), then the values f32 LE. Equal records
// have equal bytes. The lists must be as Record says and all numbers finite.
std::string EncodeRecord(const Record& record);

// DataLoss when the bytes are not exactly one well-formed record (bounds checked; nothing is
// allocated from a size not backed by bytes).
absl::StatusOr<Record> DecodeRecord(absl::string_view bytes);

// The record without features: what a margin-only recipe stores.
Record MarginOnly(const Record& record);

}  // namespace fpo

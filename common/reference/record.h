#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/hash.h"

namespace fpo {

// The frozen reference's values for one response: enough for DPO, length-normalised DPO and FPO
// with any alpha, beta and k.
struct Record {
  double sum_logp = 0;  // sum over response tokens, nats
  uint32_t tokens = 0;  // response tokens, terminator included
  // One list per SAE of the recipe, in recipe order: pooled activations as (index, value), strictly
  // increasing index, value != 0.
  std::vector<std::vector<std::pair<uint32_t, float>>> features;
  bool half = false;  // every value is a float16 and is stored as one: RoundToHalf made it

  bool operator==(const Record&) const = default;
};

// Bytes: version u8 = 1 (values f32) or 2 (values f16), sum_logp f64 LE, tokens varint, SAE count
// varint, then per SAE: entry count varint, index deltas as varints (the first from 0), then the
// values LE. Equal records have equal bytes. The lists must be as Record says and all numbers
// finite.
std::string EncodeRecord(const Record& record);

// DataLoss when the bytes are not exactly one well-formed record (bounds checked; nothing is
// allocated from a size not backed by bytes).
absl::StatusOr<Record> DecodeRecord(absl::string_view bytes);

struct Recipe;
// InvalidArgument unless the record has a list per SAE of the recipe, in its kind of values.
absl::Status CheckBelongs(const Record& record, const Recipe& recipe);

// Rounds each value to the nearest float16: off by at most 2^-11 of it (2^-25 below 2^-14). Values
// that round to 0 are removed. OutOfRange names a value beyond float16, 65504.
absl::Status RoundToHalf(Record* record);

// The record without features: what a margin-only recipe stores.
Record MarginOnly(const Record& record);

}  // namespace fpo

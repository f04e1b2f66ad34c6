#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fpo::train {

// How the conversations of a job's data were rendered: what an exported model needs, so that others
// speak to it in the turns it was trained in. Kept as chat.json in the prepared folder and in the
// run's.
struct TurnRecord {
  std::string turns;          // gemma | halo | own | a template file's name; "": there were none
  std::string jinja;          // their template; "" when it is the model folder's own, or none
  std::vector<int32_t> ends;  // ids that end an answer, without the tokenizer's eos

  bool operator==(const TurnRecord&) const = default;
};

absl::Status WriteTurnRecord(const TurnRecord& record, const std::string& folder);

// nullopt: the folder has no chat.json, as those written before it was. DataLoss when it is
// damaged.
absl::StatusOr<std::optional<TurnRecord>> ReadTurnRecord(const std::string& folder);

}  // namespace fpo::train

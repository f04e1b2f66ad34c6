#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace fpo::train {

// What a path holds: kind ("model", "sae", "tokens", "records", "checkpoint", "safetensors") and
// facts in reading order.
struct Inspection {
  std::string kind;
  std::string path;
  std::vector<std::pair<std::string, std::string>> facts;  // e.g. {"parameters", "2614341888"}

  std::string Text() const;  // aligned lines for people
  std::string Json() const;  // one object, facts as strings
};

// NotFound; InvalidArgument for an unknown kind or a broken file (with the reader's reason).
absl::StatusOr<Inspection> Inspect(const std::string& path);

}  // namespace fpo::train

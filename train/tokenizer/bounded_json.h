#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

// A list or object too long to keep: its members are delivered one by one. An empty one stays in
// place. The first error ends the reading.
struct JsonTap {
  std::vector<std::string> path;  // keys from the top
  // For an object of whole numbers.
  std::function<absl::Status(std::string key, int64_t value)> on_number;
  // For a list of strings and of lists of strings.
  std::function<absl::Status(std::vector<std::string> strings)> on_strings;
};

struct JsonLimits {
  size_t depth = 32;
  size_t values = 4'000'000;  // kept values; taps are not counted
};

// Parses untrusted JSON. DataLoss, naming `file`, when it is not JSON (with the place), nests too
// deep, is too large, repeats a key in an object, or a tap finds another type.
absl::StatusOr<nlohmann::json> ParseBoundedJson(absl::string_view text, const std::string& file,
                                                const std::vector<JsonTap>& taps = {},
                                                JsonLimits limits = {});

}  // namespace fpo::train

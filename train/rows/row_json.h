#pragma once

#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json_fwd.hpp"

namespace fpo::train {

// Parses one row. InvalidArgument says why it is not JSON, and `*bad` is then the offset of the
// byte that shows it: also for a key that an object has twice, of which JSON readers take either,
// and for lists and objects nested more than 100 deep. NaN and infinities, which Python writes, are
// read as empty texts: a number that is needed is then missing, all others cost nothing.
absl::StatusOr<nlohmann::json> ParseRowJson(absl::string_view text, size_t* bad);

}  // namespace fpo::train

#pragma once

#include "absl/strings/string_view.h"

namespace fpo {

// A label of a job or a worker is NAME=VALUE. A name: 1 to 63 of letters, digits, '.', '_', '-' and
// '/'. A value: up to 255 bytes of text without control characters.
bool IsLabelName(absl::string_view name);
bool IsLabelValue(absl::string_view value);

}  // namespace fpo

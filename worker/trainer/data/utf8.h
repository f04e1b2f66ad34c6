#pragma once

#include <cstddef>
#include <optional>

#include "absl/strings/string_view.h"

namespace fpo::train {

// Position of the first byte that begins no well-formed UTF-8 sequence (RFC 3629); nullopt: none.
std::optional<size_t> FirstBadUtf8(absl::string_view text);

}  // namespace fpo::train

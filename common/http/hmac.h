#pragma once

#include "absl/strings/string_view.h"
#include "common/values/digest.h"

namespace fpo {

// HMAC-SHA256 (RFC 2104).
Digest HmacSha256(absl::string_view key, absl::string_view message);

}  // namespace fpo

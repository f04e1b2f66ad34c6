#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/hash.h"

namespace fpo {

// Identity of one response under any recipe: SHA-256 of u32 LE prompt length, prompt ids, u32 LE
// response length, response ids. A response id below zero is a token that is read but not scored:
// other such tokens make another response.
Digest RecordKey(absl::Span<const int32_t> prompt_ids, absl::Span<const int32_t> response_ids);

// Identity of an ordered list of keys under one recipe: SHA-256(recipe id, keys in order).
Digest ManifestId(const Digest& recipe_id, absl::Span<const Digest> keys);

// A keys file (reference.keys): raw 32-byte keys, concatenated, each once, in manifest order.
absl::StatusOr<std::vector<Digest>> ReadKeysFile(const std::string& path);
absl::Status WriteKeysFile(const std::string& path, absl::Span<const Digest> keys);  // atomic

}  // namespace fpo

#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/types/span.h"

namespace fpo::train {

// Some tokens of a response are context: the model reads them, and they are neither trained on nor
// scored, like the user's turn between two of the assistant's. In token files, and wherever
// responses are ids, such a token is stored as ~id, below zero; so a response with other context is
// another response, with a reference record of its own. Prompts have no such ids.

constexpr int32_t ContextId(int32_t id) { return ~id; }
constexpr bool IsContextId(int32_t id) { return id < 0; }
// What the model reads.
constexpr int32_t TokenOf(int32_t id) { return IsContextId(id) ? ~id : id; }

// How many tokens of the response are scored.
inline int64_t ScoredTokens(absl::Span<const int32_t> response) {
  return response.size() - std::count_if(response.begin(), response.end(), IsContextId);
}

}  // namespace fpo::train

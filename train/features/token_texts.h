#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "train/tokenizer/tokenizer.h"

namespace fpo::train {

// The text of each id by itself, as it stands between its neighbours; context ids count as what
// they stand for. A character that several tokens spell is the text of the first, the others are
// empty. Without a tokenizer " #12" for id 12.
std::vector<std::string> TokenTexts(const Tokenizer& tokenizer, absl::Span<const int32_t> ids);

}  // namespace fpo::train

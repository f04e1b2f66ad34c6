#pragma once

#include "train/data/token_file.h"
#include "train/findings/findings.h"
#include "train/findings/pair_texts.h"

namespace fpo::train {

// Fills in what is repeated among the pairs, what contradicts itself, and what evaluation and
// training data share: `repeated`, `shared`, `near*`, `leaks`, `contradictions`, `copies`. Reads
// tokens only. Returns for each training pair the number of its group: pairs of one prompt, or
// that are alike.
std::vector<int64_t> FindCopies(const TokenFile& train, const TokenFile& eval,
                                const PairTexts& texts, Findings* findings);

}  // namespace fpo::train

#pragma once

#include <optional>

#include "nlohmann/json_fwd.hpp"
#include "train/verdicts/annotations.h"

namespace fpo::train {

// People's votes in the forms in which they are published:
//   LLMBar's   {"input", "output_1", "output_2", "label": 1 | 2}
//   PandaLM's  {"instruction", "input", "response1", "response2", "annotator1": 0 | 1 | 2, ...},
//              where 0 is a draw; the preference is the mean of the votes
// nullopt: a row of neither, or with a vote that is none of these.
std::optional<Annotation> VotesOfRow(const nlohmann::json& row);

}  // namespace fpo::train

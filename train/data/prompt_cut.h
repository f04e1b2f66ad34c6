#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace fpo::train {

// Ids that mark turns; nullopt when the data has none.
struct TurnMarks {
  std::optional<int32_t> bos;
  std::optional<int32_t> start_of_turn;
  std::vector<int32_t> newlines;  // one and two line feeds: a header ends with one of them
};

// Shortens a prompt to `length_max` ids from the left. BOS stays in front; inside turns the turn
// that is cut keeps its header (<start_of_turn> role newline), so the rest still reads as a
// conversation. Returns whether it was cut.
bool CutPrompt(const TurnMarks& marks, int64_t length_max, std::vector<int32_t>* prompt);

}  // namespace fpo::train

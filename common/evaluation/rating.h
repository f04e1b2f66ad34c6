#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/evaluation/resample.h"

namespace fpo {

// The rating in a judge's text as MT-Bench's judges write it: the first [[7]] or [[7.5]], or
// without one the first [7]. nullopt when there is none, or it is outside 1 to 10.
std::optional<double> ParseRating(absl::string_view text);

// One question's answers: a rating for each turn; nullopt where the judge gave none.
struct TurnRatings {
  std::optional<double> first;
  std::optional<double> second;
};

struct MtBenchScore {
  double first = 0;    // mean rating of the first turns, NaN without one
  double second = 0;   // of the second turns
  double average = 0;  // of all ratings, as FastChat's table has it
  Interval interval;   // of the average; the bootstrap draws questions
  int64_t ratings = 0;
  int64_t missing = 0;  // turns without a rating, which count nowhere
};
// At least one question.
MtBenchScore MtBenchScoreOf(absl::Span<const TurnRatings> questions,
                            const BootstrapOptions& options);

}  // namespace fpo

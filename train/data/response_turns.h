#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "train/chat/rendered_row.h"
#include "train/data/admission.h"
#include "train/rows/preference_row.h"
#include "train/tokenizer/tokenizer.h"

namespace fpo::train {

// Responses that are several turns of the assistant, with the user's turns between them.

// Which of the messages are turns to train on.
std::vector<size_t> TrainedTurns(const std::vector<Message>& messages,
                                 AdmissionLimits::TrainOn train_on);

// Whether the row compares two responses and one of them has several turns.
bool HasSeveralTurns(const PreferenceRow& row);

// What has to be rendered for such a row: each turn of the assistant in either response, as the
// response to all that comes before it; those of chosen first.
std::vector<PreferenceRow> TurnsOf(const PreferenceRow& row);

// Puts the tokens of the rendered turns together: the prompt that both responses share, and the
// responses, whose tokens are context ids but for the turns to train on, each with its end. A drop
// reason when the turns do not fit together. The errors of the tokenizer.
absl::StatusOr<AdmissionCandidate> EncodeTurns(const PreferenceRow& row,
                                               absl::Span<const RenderedRow> rendered,
                                               const Tokenizer& tokenizer,
                                               AdmissionLimits::TrainOn train_on);

}  // namespace fpo::train

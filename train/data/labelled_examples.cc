#include "train/data/labelled_examples.h"

#include <string>
#include <utility>

namespace fpo::train {
namespace {

using Kind = PreferenceRow::Kind;

bool IsSeveralTurns(const PreferenceRow& row, const std::vector<Message>& response) {
  return row.kind == Kind::kMessages && response.size() != 1;
}

std::string WhyDropped(const PreferenceRow& row) {
  // Bad responses are what this method wants to read.
  if (!row.drop_reason.empty() && row.drop_reason != "unwanted_response") return row.drop_reason;
  if (row.has_rejected && !row.pair_drop_reason.empty()) return row.pair_drop_reason;
  if (!row.has_rejected && !row.label) return "no_label";
  const bool several = IsSeveralTurns(row, row.chosen_messages) ||
                       (row.has_rejected && IsSeveralTurns(row, row.rejected_messages));
  return several ? "responses_of_several_turns" : "";
}

PreferenceRow RejectedSide(PreferenceRow row) {
  row.chosen = std::move(row.rejected);
  row.chosen_messages = std::move(row.rejected_messages);
  row.chosen_ids = std::move(row.rejected_ids);
  row.chosen_score = row.rejected_score;
  return row;
}

}  // namespace

std::vector<PreferenceRow> LabelledExamples(PreferenceRow row) {
  row.drop_reason = WhyDropped(row);
  row.pair_drop_reason.clear();
  const bool pair = row.has_rejected && row.drop_reason.empty();
  row.has_rejected = false;
  if (!pair) return {std::move(row)};
  std::vector<PreferenceRow> examples = {row, RejectedSide(row)};
  examples[0].label = true;
  examples[1].label = false;
  return examples;
}

}  // namespace fpo::train

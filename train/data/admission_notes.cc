#include "train/data/admission_notes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace fpo::train {
namespace {

constexpr double kManyLeftOut = 0.1;  // share of the rows read

int64_t Dropped(const AdmissionReport& report) {
  int64_t dropped = 0;
  for (const auto& [reason, count] : report.dropped) dropped += count;
  return dropped;
}

// "20 identical_pair, 5 no_rejected_response": the most frequent first.
std::string Reasons(const AdmissionReport& report) {
  std::vector<std::pair<int64_t, std::string>> counts;
  for (const auto& [reason, count] : report.dropped) counts.emplace_back(-count, reason);
  if (report.malformed > 0) counts.emplace_back(-report.malformed, "malformed");
  std::sort(counts.begin(), counts.end());
  return absl::StrJoin(counts, ", ", [](std::string* out, const auto& item) {
    absl::StrAppend(out, -item.first, " ", item.second);
  });
}

std::string FirstExample(const AdmissionReport& report) {
  const auto& examples =
      report.dropped_examples.empty() ? report.malformed_examples : report.dropped_examples;
  return examples.empty() ? "" : absl::StrCat("; e.g. ", examples.front());
}

// A conversation gives one example for each turn of the assistant.
const char* Noun(const AdmissionReport& report) {
  return report.rejected.maximum > 0 ? "pairs" : "examples";
}

std::string Lengths(const char* name, const LengthQuantiles& lengths) {
  if (lengths.maximum == 0) return "";
  return absl::StrFormat(" %s %d/%d/%d", name, lengths.p50, lengths.p90, lengths.maximum);
}

std::string ReadText(const AdmissionReport& report) {
  std::string text = absl::StrCat(report.rows, " rows read");
  if (report.desirable + report.undesirable > 0) {
    absl::StrAppend(&text, " (", report.desirable, " desirable and ", report.undesirable,
                    " undesirable responses)");
  } else if (report.examples > report.rows) {
    absl::StrAppend(&text, " (", report.examples, " turns of the assistant)");
  }
  if (report.stopped_at_max_pairs) absl::StrAppend(&text, " until data.max_pairs was reached");
  return text;
}

// Advice for rows dropped for `reason`.
std::string Remedy(const std::string& reason) {
  if (reason == "no_rejected_response") {
    return "the method compares two responses to one prompt: give rows with chosen and rejected, "
           "or use method sft, or kto for responses with a label";
  }
  if (reason == "no_label") {
    return "kto learns from responses that are labelled: give rows a boolean `label`, or pairs of "
           "chosen and rejected";
  }
  if (reason == "bad_roles") {
    return "turns must alternate between user and assistant, after at most one system message, and "
           "chosen and rejected must each begin and end with the assistant";
  }
  if (reason == "responses_of_several_turns") {
    return "the template writes no mark behind each turn, so the turns of a response cannot be "
           "told "
           "apart; put the earlier turns into the prompt, or use another data.template";
  }
  if (reason == "template_refused") {
    return "the chat template refuses these conversations; see data.template";
  }
  if (reason == "no_shared_prompt") return "chosen and rejected must begin with the same messages";
  if (reason == "identical_pair") return "chosen and rejected are the same within the limits";
  if (reason == "id_outside_vocabulary") return "the ids are of another tokenizer";
  return "";
}

std::string TopReason(const AdmissionReport& report) {
  std::string top;
  int64_t most = 0;
  for (const auto& [reason, count] : report.dropped) {
    if (count > most) top = reason;
    most = std::max(most, count);
  }
  return top;
}

class Warnings {
 public:
  Warnings(const std::string& key, const AdmissionReport& report) : key_(key), report_(report) {}

  void LeftOut();
  void Cuts();
  void Copies();
  void Shared();
  void Template();
  void Messages();
  void Marks();
  std::vector<std::string> Take() { return std::move(warnings_); }

 private:
  bool Most(int64_t count) const { return 2 * count > report_.admitted; }
  std::string Of(int64_t count) const { return absl::StrCat(count, " of ", report_.admitted); }
  void Add(const std::string& text) { warnings_.push_back(absl::StrCat(key_, ": ", text)); }

  const std::string& key_;
  const AdmissionReport& report_;
  std::vector<std::string> warnings_;
};

void Warnings::LeftOut() {
  const int64_t left_out = Dropped(report_) + report_.malformed;
  const int64_t all = report_.admitted + left_out;
  if (static_cast<double>(left_out) <= kManyLeftOut * static_cast<double>(all)) return;
  const std::string remedy = Remedy(TopReason(report_));
  Add(absl::StrCat(left_out, " of ", all, " ", report_.examples > report_.rows ? "turns" : "rows",
                   " are left out: ", Reasons(report_), FirstExample(report_),
                   remedy.empty() ? "" : "; ", remedy));
}

void Warnings::Cuts() {
  std::vector<std::string> cut;
  if (Most(report_.cut_chosen)) cut.push_back(absl::StrCat(Of(report_.cut_chosen), " chosen"));
  if (Most(report_.cut_rejected)) {
    cut.push_back(absl::StrCat(Of(report_.cut_rejected), " rejected"));
  }
  if (!cut.empty()) {
    Add(absl::StrCat(absl::StrJoin(cut, " and "), " responses are cut at data.max_length ",
                     report_.max_length, ": the model never sees how they end; half of the ",
                     Noun(report_), " are longer than ", report_.uncut.p50,
                     " tokens and one in ten longer than ", report_.uncut.p90,
                     "; raise data.max_length"));
  }
  if (Most(report_.cut_prompts)) {
    Add(absl::StrCat(Of(report_.cut_prompts), " prompts are cut from the left to ",
                     "data.max_prompt_length ", report_.max_prompt_length,
                     ": their beginnings are lost; raise it"));
  }
}

void Warnings::Copies() {
  if (!Most(report_.duplicates)) return;
  Add(absl::StrCat(Of(report_.duplicates), " ", Noun(report_),
                   " are duplicates of earlier ones: the model memorises them; check how "
                   "the file was made"));
}

void Warnings::Shared() {
  const SharedPairs& shared = report_.shared;
  if (shared.pairs == 0) return;
  std::string text = absl::StrCat(
      Of(shared.pairs), " ", Noun(report_), " are training data too, the first in row ",
      report_.shared_eval_row, " (row ", report_.shared_train_row, " of data.train; from 0)");
  if (shared.swapped > 0) {
    absl::StrAppend(&text, ", and for ", shared.swapped, " of them the other response is chosen");
  }
  Add(text + ": the evaluation measures what was memorised; take them out of one of the two");
}

void Warnings::Template() {
  if (report_.model_has_turns && report_.texts_without_turns > 0) {
    Add(absl::StrCat(Of(report_.texts_without_turns), " ", Noun(report_),
                     " are plain text without chat turns, but the model's folder has a chat "
                     "template: it was trained to answer within turns; use data.template: auto or "
                     "gemma"));
  } else if (absl::EndsWith(report_.template_name, " and none")) {
    Add(absl::StrCat(Of(report_.texts_without_turns), " ", Noun(report_),
                     " are plain text, the others have chat turns: set data.template to gemma or "
                     "none, so that all are rendered alike"));
  }
  Messages();
  if (Most(report_.unseparated)) {
    Add(absl::StrCat("in ", Of(report_.unseparated), " ", Noun(report_),
                     " nothing separates prompt and response, so the response continues the "
                     "prompt's last word; end the prompts, or begin the responses, with a space or "
                     "a line break, or use data.template: gemma"));
  }
}

void Warnings::Messages() {
  if (report_.literal_marks > 0) {
    Add(absl::StrCat(Of(report_.literal_marks), " ", Noun(report_),
                     " contain turn marks, such as <end_of_turn>, inside of a message: they are "
                     "spelled out, so that a message cannot end its turn; remove them if they are "
                     "left from an earlier rendering"));
  }
  if (report_.system_folded > 0) {
    Add(absl::StrCat(Of(report_.system_folded), " ", Noun(report_),
                     " have a system message, which the model's own template refuses; it is put "
                     "in front of the first user message, as in Gemma 3"));
  }
  if (report_.off_prompt > 0) {
    Add(absl::StrCat("in ", Of(report_.off_prompt), " ", Noun(report_),
                     " the chat template writes the assistant's turn otherwise than "
                     "add_generation_prompt announces it; the prompt ends where they part"));
  }
}

void Warnings::Marks() {
  if (Most(report_.missing_bos)) {
    Add(absl::StrCat(Of(report_.missing_bos),
                     " prompts do not begin with <bos>, "
                     "unlike all text the model was trained on"));
  }
  if (Most(report_.doubled_bos)) {
    Add(absl::StrCat(Of(report_.doubled_bos),
                     " prompts begin with <bos> twice: leave it out of "
                     "the text"));
  }
  if (Most(report_.equal_scores)) {
    Add(absl::StrCat("in ", Of(report_.equal_scores),
                     " pairs both responses have the same score: "
                     "the choice between them is arbitrary"));
  }
  if (Most(report_.repeated_prompts)) {
    Add(absl::StrCat("in ", Of(report_.repeated_prompts), " ", Noun(report_),
                     " the response begins with the prompt, which is then trained on as its part: "
                     "leave it out of the responses, or the field prompt out of the rows"));
  }
  if (10 * report_.lower_scores > report_.admitted) {
    Add(absl::StrCat("in ", Of(report_.lower_scores),
                     " pairs the chosen response has a lower score than the rejected one: "
                     "were they swapped, or is less better?"));
  }
}

}  // namespace

std::string AdmissionLine(const std::string& key, const AdmissionReport& report) {
  std::string line = absl::StrCat(key, ": ", ReadText(report), ", ", report.admitted, " ",
                                  Noun(report), " admitted");
  const int64_t left_out = Dropped(report) + report.malformed;
  absl::StrAppend(&line, ", ", left_out, " left out");
  if (left_out > 0) absl::StrAppend(&line, " (", Reasons(report), ")");
  absl::StrAppend(&line, "; template ", report.template_name, " (", report.template_reason, ")");
  absl::StrAppend(&line, "; cut: ", report.cut_prompts, " prompts, ", report.cut_chosen, " chosen");
  if (report.rejected.maximum > 0) absl::StrAppend(&line, ", ", report.cut_rejected, " rejected");
  absl::StrAppend(&line, "; ", report.duplicates,
                  " duplicates; tokens p50/p90/max:", Lengths("prompt", report.prompt),
                  Lengths("chosen", report.chosen), Lengths("rejected", report.rejected));
  return line;
}

std::vector<std::string> AdmissionWarnings(const std::string& key, const AdmissionReport& report) {
  if (report.admitted == 0) return {};
  Warnings warnings(key, report);
  warnings.LeftOut();
  warnings.Cuts();
  warnings.Copies();
  warnings.Shared();
  warnings.Template();
  warnings.Marks();
  return warnings.Take();
}

std::string NothingAdmitted(const std::string& key, const AdmissionReport& report) {
  const std::string remedy = Remedy(TopReason(report));
  return absl::StrCat("none of the ", report.rows, " rows of ", key,
                      " can be used: ", Reasons(report), FirstExample(report),
                      remedy.empty() ? "" : "; ", remedy);
}

}  // namespace fpo::train

#include "train/findings/findings_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/text/utf8.h"

namespace fpo::train {
namespace {

constexpr size_t kFeatureRows = 8, kSuspectRows = 10, kTextBytes = 24;

// One line for a terminal: control characters and line breaks become spaces.
std::string TerminalLine(const std::string& text, size_t bytes_max) {
  std::string line;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const int32_t code = NextCodePoint(text, &at);
    if (code < 0) ++at;
    const bool shown = code >= 0x20 && code != 0x7F && !(code >= 0x80 && code < 0xA0);
    // Marks that change the direction of what follows would reorder the table.
    const bool turns = (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
    line += shown && !turns ? text.substr(begin, at - begin) : " ";
  }
  return ShortText(line, bytes_max);
}

std::string RowName(const ShownPair& pair) {
  return pair.id.empty() ? absl::StrCat(pair.row) : absl::StrCat(pair.row, " ", pair.id);
}

std::string LabelsText(const Findings& findings) {
  if (!findings.labels.has_value()) {
    return absl::StrCat("Labels: not checked, ", findings.labels_unchecked, "\n");
  }
  const LabelCheck& check = *findings.labels;
  std::string text = absl::StrFormat(
      "Labels: what the records say agrees with %.1f %% of them (50 is chance).\n"
      "  Of %d labels swapped on purpose %.0f %% came into the most suspect tenth (10 is "
      "chance).\n",
      100 * check.agreement, check.flipped, 100 * check.found_in_first_tenth);
  if (findings.suspects.empty()) return text;
  absl::StrAppend(&text, absl::StrFormat("  %-9s %-14s %-8s %s\n", "P(right)", "row", "margin",
                                         "chosen | rejected"));
  for (size_t i = 0; i < std::min(kSuspectRows, findings.suspects.size()); ++i) {
    const SuspectLabel& suspect = findings.suspects[i];
    absl::StrAppend(
        &text, absl::StrFormat("  %-9.3f %-14s %+-8.2f %s | %s\n", suspect.right,
                               TerminalLine(RowName(suspect.pair), 14), suspect.reference_margin,
                               TerminalLine(suspect.pair.chosen, 26),
                               TerminalLine(suspect.pair.rejected, 26)));
  }
  return text;
}

std::string FeatureRow(const FeatureFinding& feature) {
  const FeatureTest& test = feature.test;
  const std::string strong =
      feature.spans.empty() ? "" : TerminalLine(feature.spans.front().strong, kTextBytes);
  return absl::StrFormat("  %-34s %5.1f %% %+7.2f %+9.2f %8.1e  %s\n", feature.name,
                         100 * test.share, test.effect, test.effect_at_equal_length,
                         test.q_at_equal_length, strong);
}

std::string FeaturesText(const Findings& findings) {
  std::string text = absl::StrFormat(
      "What separates chosen from rejected: %d of %d features, %d at equal length.\n",
      findings.features_separating, findings.features_tested,
      findings.features_separating_at_equal_length);
  absl::StrAppend(&text, absl::StrFormat("  %-34s %7s %7s %9s %8s  %s\n", "", "more in", "effect",
                                         "at equal", "false", "strongest at"));
  absl::StrAppend(&text,
                  absl::StrFormat("  %-34s %7s %7s %9s %8s\n", "", "chosen", "", "length", "rate"));
  for (const FeatureFinding& feature : findings.plain) text += FeatureRow(feature);
  for (size_t i = 0; i < std::min(kFeatureRows, findings.features.size()); ++i) {
    text += FeatureRow(findings.features[i]);
  }
  return text;
}

std::string CopiesText(const Findings& findings) {
  std::string text =
      absl::StrCat("Copies: ", findings.repeated.repeated, " pairs repeat an earlier one, ",
                   findings.repeated.contradictions, " contradict another one, ",
                   findings.repeated.repeated_prompts, " repeat a prompt;\n  ", findings.near_pairs,
                   " are like an earlier one, ", findings.near_opposite,
                   " of them with the other response chosen.\n");
  if (findings.eval_pairs == 0) return text;
  return absl::StrCat(text, "Leaks: of ", findings.eval_pairs, " evaluation pairs ",
                      findings.shared.pairs, " are training pairs, ", findings.near_leaks,
                      " are like one, ", findings.shared.prompts, " have the prompt of one.\n");
}

}  // namespace

std::string FindingsText(const Findings& findings) {
  return absl::StrCat(findings.train_pairs, " training pairs, ", findings.eval_pairs,
                      " evaluation pairs; records: ", findings.records_computed, " computed, ",
                      findings.records_reused, " reused\n", LabelsText(findings),
                      FeaturesText(findings), CopiesText(findings));
}

}  // namespace fpo::train

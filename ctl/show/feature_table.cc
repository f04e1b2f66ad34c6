#include "ctl/show/feature_table.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "ctl/show/human.h"

namespace fpo::ctl {
namespace {

using Side = std::optional<FeatureSide> MovedFeature::*;

// Three digits: differences between responses are larger than the fourth.
std::string Short(const std::optional<double>& value) {
  if (!value) return "-";
  const double size = std::abs(*value);
  return size >= 1e3 && size < 1e6 ? absl::StrFormat("%.0f", *value)
                                   : absl::StrFormat("%.3g", *value);
}

std::string Signed(double value) { return absl::StrCat(value > 0 ? "+" : "", Short(value)); }

std::string Percent(double share) { return absl::StrFormat("%.3g %%", 100 * share); }

// One SAE as each report has it.
class SaeSheet {
 public:
  SaeSheet(const std::vector<FeatureReport>& reports, size_t sae,
           const FeatureTableOptions& options, const TextStyle& style)
      : reports_(reports), options_(options), style_(style) {
    for (const FeatureReport& report : reports) {
      parts_.push_back(&SameSae(report, reports.front().saes[sae]));
    }
  }

  std::string Text() {
    const SaeMovement& sae = *parts_.front();
    absl::StrAppend(&text_, OneLine(sae.path), "  layer ", sae.layer, " ", OneLine(sae.site), "  ",
                    HumanCount(sae.features), " features",
                    sae.labels.empty() ? "" : absl::StrCat("  labels: ", OneLine(sae.labels)),
                    "\n");
    AddSide("chosen", &SaeMovement::chosen, &MovedFeature::chosen);
    AddSide("rejected", &SaeMovement::rejected, &MovedFeature::rejected);
    AddSpans();
    AddFit();
    return std::move(text_);
  }

 private:
  bool Several() const { return reports_.size() > 1; }

  double Change(int64_t index, Side side) const {
    double largest = 0;
    for (const SaeMovement* part : parts_) {
      const MovedFeature* feature = part->Find(index);
      if (feature == nullptr || !(feature->*side)) continue;
      largest = std::max(largest, std::abs((feature->*side)->change()));
    }
    return largest;
  }

  // The first of every report, the one that moved most first.
  std::vector<int64_t> Rows(std::vector<int64_t> SaeMovement::*ranking, Side side) const {
    std::vector<int64_t> rows;
    for (const SaeMovement* part : parts_) {
      const std::vector<int64_t>& all = part->*ranking;
      rows.insert(rows.end(), all.begin(),
                  all.begin() + static_cast<std::ptrdiff_t>(std::min(options_.rows, all.size())));
    }
    std::sort(rows.begin(), rows.end());
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    std::stable_sort(rows.begin(), rows.end(),
                     [&](int64_t a, int64_t b) { return Change(a, side) > Change(b, side); });
    return rows;
  }

  std::string LabelOf(int64_t index) const {
    for (const SaeMovement* part : parts_) {
      const MovedFeature* feature = part->Find(index);
      if (feature != nullptr && !feature->label.empty()) return OneLine(feature->label);
    }
    return "";
  }

  void AddCells(const SaeMovement& part, const MovedFeature* feature, Side side,
                std::vector<std::string>* row) const {
    if (feature == nullptr || !(feature->*side)) {
      row->insert(row->end(), {"", "", absl::StrCat("<", Short(part.floor))});
      if (!Several()) row->insert(row->end(), {"", "", ""});
      return;
    }
    const FeatureSide& values = *(feature->*side);
    row->insert(row->end(), {Short(values.before), Short(values.after), Signed(values.change())});
    if (Several()) return;
    row->insert(row->end(), {Short(values.moved), Percent(values.share),
                             absl::StrCat(Percent(values.active_before), " -> ",
                                          Percent(values.active_after))});
  }

  void AddSide(const char* name, std::vector<int64_t> SaeMovement::*ranking, Side side) {
    const std::vector<int64_t> rows = Rows(ranking, side);
    if (rows.empty()) return;
    Table table;
    table.header = {"FEATURE", "LABEL"};
    for (const FeatureReport& report : reports_) {
      const std::string prefix =
          Several() ? absl::AsciiStrToUpper(OneLine(report.job)) + " " : std::string();
      table.header.insert(table.header.end(), {prefix + "BEFORE", "AFTER", "CHANGE"});
    }
    if (!Several()) {
      table.header.insert(table.header.end(), {"MEAN |CHANGE|", "SHARE", "FIRES IN"});
    }
    table.shrinkable = {1};
    for (const int64_t index : rows) {
      std::vector<std::string> row = {absl::StrCat(index), LabelOf(index)};
      for (const SaeMovement* part : parts_) AddCells(*part, part->Find(index), side, &row);
      table.rows.push_back(std::move(row));
      shown_.push_back(index);
    }
    absl::StrAppend(&text_, "\nmoved most on ", name, "\n", RenderTable(table, style_));
  }

  static std::string Codes(const FeatureSpan& span) {
    const auto at = static_cast<size_t>(span.strongest);
    const std::string after = Short(span.after[at]);
    return span.before.empty() ? after : absl::StrCat(Short(span.before[at]), " -> ", after);
  }

  static std::string TextOf(const FeatureSpan& span) {
    std::string text = span.position > 0 ? "... " : "";
    for (size_t i = 0; i < span.tokens.size(); ++i) {
      const std::string& token = span.tokens[i];
      if (static_cast<int64_t>(i) != span.strongest) {
        text += token;
        continue;
      }
      const size_t space = token.find_first_not_of(' ');
      const size_t begin = space == std::string::npos ? 0 : space;
      absl::StrAppend(&text, token.substr(0, begin), "[[", token.substr(begin), "]]");
    }
    return OneLine(text);
  }

  void AddSpans() {
    if (options_.spans == 0) return;
    std::sort(shown_.begin(), shown_.end());
    shown_.erase(std::unique(shown_.begin(), shown_.end()), shown_.end());
    absl::StrAppend(&text_, "\nwhere they fire strongest (the token in [[ ]]; its code",
                    parts_.front()->before ? " before -> after" : "", ")\n");
    for (const int64_t index : shown_) {
      const std::string label = LabelOf(index);
      absl::StrAppend(&text_, index, label.empty() ? "" : absl::StrCat("  ", label), "\n");
      for (size_t i = 0; i < parts_.size(); ++i) {
        const MovedFeature* const feature = parts_[i]->Find(index);
        if (feature == nullptr) continue;
        for (size_t s = 0; s < std::min(options_.spans, feature->spans.size()); ++s) {
          const FeatureSpan& span = feature->spans[s];
          absl::StrAppend(
              &text_, "  ", Several() ? absl::StrCat(OneLine(reports_[i].job), ": ") : "", "row ",
              span.row + 1, " ", OneLine(span.side), ", ", Codes(span), ":  ", TextOf(span), "\n");
        }
      }
    }
  }

  void AddFit() {
    static constexpr struct {
      const char* name;
      std::optional<double> SaeFit::*value;
    } kLines[] = {{"variance not explained (FVU)", &SaeFit::fvu},
                  {"cross-entropy of the responses", &SaeFit::ce},
                  {"... with the reconstruction", &SaeFit::ce_sae},
                  {"... with zeros at the site", &SaeFit::ce_zero},
                  {"loss recovered", &SaeFit::loss_recovered}};
    Table table;
    table.header = {"FIT"};
    std::vector<const std::optional<SaeFit>*> fits;
    for (size_t i = 0; i < parts_.size(); ++i) {
      const std::string prefix =
          Several() ? absl::AsciiStrToUpper(OneLine(reports_[i].job)) + " " : std::string();
      table.header.insert(table.header.end(), {prefix + "BEFORE", "AFTER"});
      fits.insert(fits.end(), {&parts_[i]->before, &parts_[i]->after});
    }
    std::vector<std::string> l0 = {"active features a token (L0)"};
    for (const auto* fit : fits) l0.push_back(*fit ? Short((*fit)->l0) : "");
    table.rows.push_back(std::move(l0));
    for (const auto& line : kLines) {
      std::vector<std::string> row = {line.name};
      for (const auto* fit : fits) {
        row.push_back(*fit && (**fit).*line.value ? Short((**fit).*line.value) : "");
      }
      table.rows.push_back(std::move(row));
    }
    absl::StrAppend(&text_, "\nhow well the SAE fits, on ", parts_.front()->fit_pairs, " pairs\n",
                    RenderTable(table, style_));
  }

  const std::vector<FeatureReport>& reports_;
  const FeatureTableOptions& options_;
  const TextStyle& style_;
  std::vector<const SaeMovement*> parts_;
  std::vector<int64_t> shown_;
  std::string text_;
};

std::string Heading(const FeatureReport& report, bool several) {
  std::string files = absl::StrJoin(report.files, ", ");
  return absl::StrCat(several ? absl::StrCat(OneLine(report.job), ": ") : "",
                      OneLine(report.method), ", the first ", HumanCount(report.pairs), " of ",
                      HumanCount(report.pairs_there), " pairs of ", OneLine(files),
                      "; before: ", OneLine(report.reference), ", after: ", OneLine(report.policy),
                      "\n");
}

}  // namespace

std::string RenderFeatures(const std::vector<FeatureReport>& reports,
                           const std::vector<size_t>& shared, const FeatureTableOptions& options,
                           const TextStyle& style) {
  std::string text;
  for (const FeatureReport& report : reports) text += Heading(report, reports.size() > 1);
  for (const size_t sae : shared) {
    absl::StrAppend(&text, "\n", SaeSheet(reports, sae, options, style).Text());
  }
  return text;
}

}  // namespace fpo::ctl

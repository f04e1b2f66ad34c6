#include "common/page/pair_figures.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace fpo {
namespace {

constexpr size_t kBins = 10;
constexpr size_t kPairsDrawnMax = 2000;  // of a run's pairs, evenly chosen; the means are of all

std::optional<double> FiniteAt(const nlohmann::json& line, const char* name) {
  const auto it = line.find(name);
  if (it == line.end() || !it->is_number()) return std::nullopt;
  const auto value = it->get<double>();
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::optional<double> Difference(const std::optional<double>& a, const std::optional<double>& b) {
  return a && b ? std::optional(*a - *b) : std::nullopt;
}

std::optional<double> PerToken(const nlohmann::json& line, const std::string& side) {
  const auto sum = FiniteAt(line, ("logps/" + side).c_str());
  const auto tokens = FiniteAt(line, ("tokens/" + side).c_str());
  return sum && tokens && *tokens > 0 ? std::optional(*sum / *tokens) : std::nullopt;
}

// Means of x and y over tenths of the points, which are sorted by x.
CurvePoints BinMeans(const CurvePoints& points) {
  CurvePoints means;
  const size_t bins = std::min(kBins, points.size());
  for (size_t b = 0; b < bins; ++b) {
    const size_t begin = b * points.size() / bins, end = (b + 1) * points.size() / bins;
    double x = 0, y = 0;
    for (size_t i = begin; i < end; ++i) {
      x += points[i].first;
      y += points[i].second;
    }
    const auto count = static_cast<double>(end - begin);
    means.emplace_back(x / count, y / count);
  }
  return means;
}

using Margin = std::optional<double> EvaluatedPairs::Pair::*;

void AddRun(const EvaluatedPairs& run, Margin margin, const std::pair<int, bool>& place,
            Figure* figure) {
  const auto [index, is_alone] = place;
  CurvePoints points;
  for (const EvaluatedPairs::Pair& pair : run.pairs) {
    if (pair.*margin) points.emplace_back(pair.log_prob_margin, *(pair.*margin));
  }
  if (points.empty()) return;
  std::sort(points.begin(), points.end());
  FigureSeries pairs{.label = is_alone ? "pairs" : absl::StrCat(run.run, ", pairs")};
  pairs.points = EverySoMany(points, kPairsDrawnMax);
  pairs.style = FigureSeries::Style::kPoints;
  pairs.run = index;
  pairs.colour = index % kFigureColours;
  FigureSeries means{.label = is_alone ? "means of tenths" : absl::StrCat(run.run, ", means")};
  means.points = BinMeans(points);
  means.style = FigureSeries::Style::kMarked;
  means.run = index;
  means.colour = (is_alone ? 1 : index) % kFigureColours;
  figure->series.push_back(std::move(pairs));
  figure->series.push_back(std::move(means));
}

}  // namespace

EvaluatedPairs ReadEvaluatedPairs(absl::string_view jsonl) {
  EvaluatedPairs read;
  for (const absl::string_view line : absl::StrSplit(jsonl, '\n', absl::SkipWhitespace())) {
    const auto json =
        nlohmann::json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
    const auto chosen = json.is_object() ? PerToken(json, "chosen") : std::nullopt;
    const auto rejected = json.is_object() ? PerToken(json, "rejected") : std::nullopt;
    if (!chosen || !rejected) {
      ++read.skipped_lines;
      continue;
    }
    EvaluatedPairs::Pair pair{*chosen - *rejected, std::nullopt, std::nullopt};
    pair.divergence_margin =
        Difference(FiniteAt(json, "divergence/rejected"), FiniteAt(json, "divergence/chosen"));
    pair.kl_margin = Difference(FiniteAt(json, "kl/rejected"), FiniteAt(json, "kl/chosen"));
    read.pairs.push_back(pair);
  }
  return read;
}

std::vector<Figure> PairFigures(const std::vector<EvaluatedPairs>& runs,
                                const std::string& divergence) {
  std::vector<Figure> figures;
  const std::pair<std::string, Margin> margins[] = {
      {divergence, &EvaluatedPairs::Pair::divergence_margin},
      {"KL", &EvaluatedPairs::Pair::kl_margin}};
  for (const auto& [words, margin] : margins) {
    if (!figures.empty() && words == divergence) continue;  // the KL method's divergence is its KL
    Figure figure{.title = words + " margin against log-probability margin"};
    figure.note = "margin: rejected minus chosen; dots are held-out pairs";
    figure.x_label = "log-probability margin, chosen minus rejected, nats per token";
    figure.reference = 0;
    figure.is_wide = true;
    for (size_t r = 0; r < runs.size(); ++r) {
      AddRun(runs[r], margin, {static_cast<int>(r), runs.size() == 1}, &figure);
    }
    if (!figure.series.empty()) figures.push_back(std::move(figure));
  }
  return figures;
}

}  // namespace fpo

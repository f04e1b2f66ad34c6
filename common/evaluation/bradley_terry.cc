#include "common/evaluation/bradley_terry.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace fpo {
namespace {

constexpr double kStrengthMax = 30;
constexpr double kStrengthStepMax = 4;  // Newton's steps are long where a model wins nearly all
constexpr int kNewtonStepsMax = 500;

using Rows = std::vector<std::vector<double>>;

// wins[i][j]: how often i won against j, in weights; a tie is half for each.
Rows WinsOf(size_t models, absl::Span<const Battle> battles, absl::Span<const int32_t> drawn) {
  Rows wins(models, std::vector<double>(models, 0));
  for (const Battle& battle : battles) {
    const double weight =
        battle.weight * (drawn.empty() ? 1 : drawn[static_cast<size_t>(battle.question)]);
    const auto first = static_cast<size_t>(battle.first),
               second = static_cast<size_t>(battle.second);
    wins[first][second] += weight * battle.first_wins;
    wins[second][first] += weight * (1 - battle.first_wins);
  }
  return wins;
}

std::vector<bool> ConnectedWith(const Rows& wins, size_t baseline) {
  std::vector<bool> reached(wins.size(), false);
  std::vector<size_t> open = {baseline};
  reached[baseline] = true;
  while (!open.empty()) {
    const size_t at = open.back();
    open.pop_back();
    for (size_t next = 0; next < wins.size(); ++next) {
      if (reached[next] || wins[at][next] + wins[next][at] == 0) continue;
      reached[next] = true;
      open.push_back(next);
    }
  }
  return reached;
}

// Solves the symmetric positive definite `matrix` x = `right` in place, by Cholesky.
void Solve(Rows* matrix, std::vector<double>* right) {
  Rows& a = *matrix;
  const size_t size = a.size();
  for (size_t i = 0; i < size; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      double sum = a[i][j];
      for (size_t k = 0; k < j; ++k) sum -= a[i][k] * a[j][k];
      a[i][j] = i == j ? std::sqrt(sum) : sum / a[j][j];
    }
  }
  std::vector<double>& x = *right;
  for (size_t i = 0; i < size; ++i) {
    for (size_t k = 0; k < i; ++k) x[i] -= a[i][k] * x[k];
    x[i] /= a[i][i];
  }
  for (size_t i = size; i-- > 0;) {
    for (size_t k = i + 1; k < size; ++k) x[i] -= a[k][i] * x[k];
    x[i] /= a[i][i];
  }
}

// One Newton step on the log-likelihood; the baseline's row is that of a fixed strength.
double NewtonStep(const Rows& wins, size_t baseline, std::vector<double>* strengths) {
  const size_t size = wins.size();
  std::vector<double> slope(size, 0);
  Rows curve(size, std::vector<double>(size, 0));
  for (size_t i = 0; i < size; ++i) {
    curve[i][i] = i == baseline ? 1 : 1e-9;
    for (size_t j = 0; j < size; ++j) {
      const double games = wins[i][j] + wins[j][i];
      if (i == baseline || games == 0) continue;
      const double p = 1 / (1 + std::exp((*strengths)[j] - (*strengths)[i]));
      slope[i] += wins[i][j] - games * p;
      curve[i][i] += games * p * (1 - p);
      if (j != baseline) curve[i][j] -= games * p * (1 - p);
    }
  }
  Solve(&curve, &slope);
  double change = 0;
  for (size_t i = 0; i < size; ++i) {
    const double step = std::clamp(slope[i], -kStrengthStepMax, kStrengthStepMax);
    const double next = std::clamp((*strengths)[i] + step, -kStrengthMax, kStrengthMax);
    change = std::max(change, std::abs(next - (*strengths)[i]));
    (*strengths)[i] = next;
  }
  return change;
}

// NaN for models without a chain of battles to the baseline.
std::vector<double> Strengths(const Rows& wins, size_t baseline) {
  const std::vector<bool> connected = ConnectedWith(wins, baseline);
  Rows known = wins;
  for (size_t i = 0; i < wins.size(); ++i) {
    if (!connected[i]) std::fill(known[i].begin(), known[i].end(), 0);
    for (size_t j = 0; j < wins.size(); ++j) {
      if (!connected[j]) known[i][j] = 0;
    }
  }
  std::vector<double> strengths(wins.size(), 0);
  for (int i = 0; i < kNewtonStepsMax; ++i) {
    if (NewtonStep(known, baseline, &strengths) < 1e-12) break;
  }
  for (size_t i = 0; i < wins.size(); ++i) {
    if (!connected[i]) strengths[i] = std::numeric_limits<double>::quiet_NaN();
  }
  return strengths;
}

std::vector<double> PercentAgainst(const std::vector<double>& strengths) {
  std::vector<double> percent;
  for (const double strength : strengths) percent.push_back(100 / (1 + std::exp(-strength)));
  return percent;
}

std::optional<Grade> GradeOf(absl::string_view text) {
  if (text == "A>>B") return Grade::kMuchBetter;
  if (text == "A>B") return Grade::kBetter;
  if (text == "A=B" || text == "B=A") return Grade::kTie;
  if (text == "B>A") return Grade::kWorse;
  if (text == "B>>A") return Grade::kMuchWorse;
  return std::nullopt;
}

// Grades that stand between `open` and `close`.
std::set<Grade> GradesBetween(absl::string_view text, absl::string_view open,
                              absl::string_view close) {
  std::set<Grade> grades;
  for (size_t at = text.find(open); at != absl::string_view::npos; at = text.find(open, at + 1)) {
    const size_t begin = at + open.size(), end = text.find(close, begin);
    if (end == absl::string_view::npos) break;
    if (const auto grade = GradeOf(text.substr(begin, end - begin))) grades.insert(*grade);
  }
  return grades;
}

}  // namespace

std::optional<Grade> ParseGrade(absl::string_view text) {
  std::set<Grade> grades = GradesBetween(text, "[[", "]]");
  if (grades.empty()) grades = GradesBetween(text, "[", "]");
  if (grades.size() != 1) return std::nullopt;
  return *grades.begin();
}

double ShareOf(Grade grade) {
  switch (grade) {
    case Grade::kMuchBetter:
      return 1;
    case Grade::kBetter:
      return 0.75;
    case Grade::kTie:
      return 0.5;
    case Grade::kWorse:
      return 0.25;
    case Grade::kMuchWorse:
      break;
  }
  return 0;
}

std::optional<Grade> GradeOfShare(double share) {
  for (const Grade grade :
       {Grade::kMuchBetter, Grade::kBetter, Grade::kTie, Grade::kWorse, Grade::kMuchWorse}) {
    if (ShareOf(grade) == share) return grade;
  }
  return std::nullopt;
}

Battle BattleOf(int64_t question, int first, int second, Grade grade) {
  Battle battle{question, first, second, 0.5, 1};
  if (grade == Grade::kBetter || grade == Grade::kMuchBetter) battle.first_wins = 1;
  if (grade == Grade::kWorse || grade == Grade::kMuchWorse) battle.first_wins = 0;
  if (grade == Grade::kMuchBetter || grade == Grade::kMuchWorse) battle.weight = 3;
  return battle;
}

absl::StatusOr<std::vector<double>> FitBradleyTerry(const std::vector<std::string>& models,
                                                    absl::Span<const Battle> battles,
                                                    int baseline) {
  const Rows wins = WinsOf(models.size(), battles, {});
  std::vector<double> strengths = Strengths(wins, static_cast<size_t>(baseline));
  for (size_t i = 0; i < models.size(); ++i) {
    if (!std::isnan(strengths[i])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("no chain of battles connects ", models[i], " with the baseline ",
                     models[static_cast<size_t>(baseline)], ", so they cannot be compared"));
  }
  return strengths;
}

absl::StatusOr<std::vector<ArenaScore>> ArenaScores(const std::vector<std::string>& models,
                                                    absl::Span<const Battle> battles, int baseline,
                                                    const BootstrapOptions& options) {
  const auto strengths = FitBradleyTerry(models, battles, baseline);
  if (!strengths.ok()) return strengths.status();
  int64_t questions = 0;
  for (const Battle& battle : battles) questions = std::max(questions, battle.question + 1);
  std::vector<ArenaScore> scores;
  for (const double percent : PercentAgainst(*strengths)) scores.push_back({percent, {}});
  if (questions == 0) return scores;
  const auto statistic = [&](absl::Span<const int32_t> drawn) {
    const Rows wins = WinsOf(models.size(), battles, drawn);
    return PercentAgainst(Strengths(wins, static_cast<size_t>(baseline)));
  };
  const std::vector<Interval> intervals = BootstrapEach(questions, statistic, options);
  for (size_t i = 0; i < scores.size(); ++i) scores[i].interval = intervals[i];
  return scores;
}

}  // namespace fpo

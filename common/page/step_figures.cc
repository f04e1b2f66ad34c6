#include "common/page/step_figures.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace fpo {
namespace {

constexpr absl::string_view kHeldOut = "eval_";
constexpr size_t kMeanFrom = 20;  // points, from which on a moving average is drawn

struct CurveName {
  const char* metric;
  const char* label;
  const char* per = nullptr;  // divided by this metric
};

struct FigurePlan {
  const char* section;
  const char* title;
  const char* note;
  const char* unit;
  std::vector<CurveName> curves;
  double scale = 1;
  bool from_zero = false;
  std::optional<double> reference = {};
};

constexpr double kPercent = 100, kGib = 1.0 / (1 << 30);
constexpr char kLearning[] = "Learning";
constexpr char kDivergence[] = "Divergence from the reference";
constexpr char kSpeed[] = "Speed and memory";
constexpr char kOther[] = "Other metrics";

std::vector<FigurePlan> LearningPlans() {
  return {
      {kLearning, "Loss", "", "nats", {{"loss", "training"}, {"nll_loss", "SFT term"}}},
      {kLearning,
       "Accuracy",
       "pairs whose chosen response has the higher reward; dashed: chance",
       "%",
       {{"rewards/accuracies", "training"}},
       kPercent,
       false,
       50.0},
      {kLearning, "Reward margin", "chosen minus rejected", "", {{"rewards/margins", "training"}}},
      {kLearning,
       "Rewards",
       "",
       "",
       {{"rewards/chosen", "chosen"}, {"rewards/rejected", "rejected"}}},
      {kLearning,
       "Log-probability",
       "of whole responses",
       "nats",
       {{"logps/chosen", "chosen"}, {"logps/rejected", "rejected"}}},
      {kLearning, "Entropy", "of the next token", "nats", {{"entropy", "training"}}},
      {kLearning,
       "Entropy of the 100 most likely tokens",
       "",
       "nats",
       {{"entropy_top100", "training"}}},
      {kLearning,
       "Accuracy by log-probability per token",
       "dashed: chance",
       "%",
       {{"logps/accuracies", "training"}},
       kPercent,
       false,
       50.0},
  };
}

std::vector<FigurePlan> DivergencePlans() {
  return {
      {kDivergence,
       "Divergence",
       "fpo: feature distance D; KL methods: sequential KL",
       "",
       {{"divergence/chosen", "chosen"}, {"divergence/rejected", "rejected"}},
       1,
       true},
      {kDivergence,
       "Relative feature distance",
       "D over the squared norm of the features",
       "",
       {{"divergence/relative", "both sides"}},
       1,
       true},
      {kDivergence,
       "KL",
       "sum over a response's tokens",
       "nats",
       {{"kl/chosen", "chosen"}, {"kl/rejected", "rejected"}},
       1,
       true},
      {kDivergence,
       "KL per token",
       "",
       "nats",
       {{"kl/chosen_per_token", "chosen"}, {"kl/rejected_per_token", "rejected"}},
       1,
       true},
      {kDivergence,
       "KL estimate",
       "kto: of mismatched responses",
       "nats",
       {{"kl", "training"}},
       1,
       true},
      {kDivergence,
       "KL margin",
       "β times the distance of both sides' KL",
       "nats",
       {{"kl/margin", "training"}},
       1,
       true},
      {kDivergence,
       "Divergence above its budget",
       "mean of about 50 steps, both sides; dashed: the budget",
       "%",
       {{"constraint/violation", "training"}},
       kPercent,
       false,
       0.0},
      {kDivergence,
       "alpha",
       "found from the budget",
       "",
       {{"constraint/alpha", "training"}},
       1,
       true},
  };
}

std::vector<FigurePlan> SpeedPlans() {
  return {
      {kSpeed, "Gradient norm", "before clipping", "", {{"grad_norm", "training"}}, 1, true},
      {kSpeed, "Learning rate", "", "", {{"lr", "rate"}}, 1, true},
      {kSpeed, "Throughput", "", "tokens/s", {{"tokens", "training", "step_seconds"}}, 1, true},
      {kSpeed, "Length of a pair", "", "tokens", {{"tokens", "training", "pairs"}}, 1, true},
      {kSpeed,
       "Time of a step",
       "",
       "s",
       {{"step_seconds", "whole step"}, {"cache_wait_seconds", "waiting for records"}},
       1,
       true},
      {kSpeed,
       "Peak memory",
       "",
       "GiB",
       {{"memory_peak_bytes", "process"}, {"device_memory_peak_bytes", "device"}},
       kGib,
       true},
      {kSpeed, "Share of the device's peak rate", "", "%", {{"mfu", "training"}}, kPercent, true},
      {kSpeed,
       "Share of a large product's rate",
       "",
       "%",
       {{"gemm_fraction", "training"}},
       kPercent,
       true},
  };
}

const std::vector<FigurePlan>& Plans() {
  static const std::vector<FigurePlan> plans = [] {
    std::vector<FigurePlan> all;
    for (const auto& part : {LearningPlans(), DivergencePlans(), SpeedPlans()}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }();
  return plans;
}

// How a curve is drawn: which run it is of, and its place in the figure.
struct Place {
  const RunCurves& curves;
  int run = 0;
  int curve = 0;
  bool several_runs = false;
};

FigureSeries MakeSeries(const CurveName& name, bool held_out, const Place& place) {
  const RunCurves& run = place.curves;
  FigureSeries series;
  const absl::string_view alone = held_out ? "held out" : name.label;
  const std::string both = held_out ? absl::StrCat(name.label, ", held out") : name.label;
  const bool says_training = absl::string_view(name.label) == "training";
  if (place.several_runs) {
    series.label = held_out ? absl::StrCat(run.name, ", held out") : run.name;
  } else {
    series.label = says_training ? std::string(alone) : both;
  }
  series.run = place.run;
  series.colour =
      (place.several_runs ? place.run : 2 * place.curve + (held_out ? 1 : 0)) % kFigureColours;
  series.style = held_out          ? FigureSeries::Style::kMarked
                 : place.curve > 0 ? FigureSeries::Style::kDashed
                                   : FigureSeries::Style::kLine;
  return series;
}

void AddCurve(const FigurePlan& plan, const CurveName& name, const Place& place, Figure* figure) {
  const RunCurves& run = place.curves;
  for (const bool held_out : {false, true}) {
    const std::string metric = absl::StrCat(held_out ? kHeldOut : "", name.metric);
    const CurvePoints* points = run.Find(metric);
    if (points == nullptr) continue;
    FigureSeries series = MakeSeries(name, held_out, place);
    if (name.per != nullptr) {
      const CurvePoints* divisor = run.Find(absl::StrCat(held_out ? kHeldOut : "", name.per));
      if (divisor == nullptr) continue;
      series.points = Over(*points, *divisor);
      if (series.points.empty()) continue;
    } else {
      series.points = *points;
      series.metric = metric;
    }
    for (auto& [step, value] : series.points) value *= plan.scale;
    if (!held_out) series.mean = MeanCourse(series.points);
    figure->series.push_back(std::move(series));
  }
}

void Thin(Figure* figure, size_t points_max) {
  for (FigureSeries& series : figure->series) {
    series.points = Thinned(series.points, points_max);
    series.mean = EverySoMany(series.mean, std::max<size_t>(points_max / 2, 2));
  }
}

// One figure with all curves, or with several runs one figure per curve.
std::vector<Figure> FiguresOf(const FigurePlan& plan, const std::vector<RunCurves>& runs) {
  const bool several = runs.size() > 1;
  std::vector<Figure> figures;
  for (size_t c = 0; c < plan.curves.size(); ++c) {
    if (several || figures.empty()) {
      Figure figure;
      const bool is_named = several && plan.curves.size() > 1;
      figure.title = is_named ? absl::StrCat(plan.title, ", ", plan.curves[c].label) : plan.title;
      figure.note = plan.note;
      figure.unit = plan.unit;
      figure.from_zero = plan.from_zero;
      figure.reference = plan.reference;
      figures.push_back(std::move(figure));
    }
    for (size_t r = 0; r < runs.size(); ++r) {
      const Place place{runs[r], static_cast<int>(r), several ? 0 : static_cast<int>(c), several};
      AddCurve(plan, plan.curves[c], place, &figures.back());
    }
  }
  std::erase_if(figures, [](const Figure& figure) { return figure.series.empty(); });
  return figures;
}

// Names without "eval_" that no plan shows, those that only count left out.
std::set<std::string> OtherNames(const std::vector<RunCurves>& runs) {
  std::set<std::string> known = {"step", "epoch", "pairs", "tokens", "seconds"};
  for (const FigurePlan& plan : Plans()) {
    for (const CurveName& curve : plan.curves) known.insert(curve.metric);
  }
  std::set<std::string> other;
  for (const RunCurves& run : runs) {
    for (const auto& [metric, points] : run.series) {
      const std::string name(absl::StripPrefix(metric, kHeldOut));
      if (!points.empty() && known.count(name) == 0) other.insert(name);
    }
  }
  return other;
}

void Append(const std::vector<Figure>& figures, size_t points_max, PageSection* section) {
  for (Figure figure : figures) {
    Thin(&figure, points_max);
    section->figures.push_back(std::move(figure));
  }
}

// A coin flip's loss is shown where the loss compares two responses.
FigurePlan ForRuns(FigurePlan plan, const std::vector<RunCurves>& runs) {
  const bool compares = std::any_of(runs.begin(), runs.end(), [](const RunCurves& run) {
    return run.Find("rewards/margins") != nullptr;
  });
  if (absl::string_view(plan.title) == "Loss" && compares) {
    plan.reference = std::log(2.0);
    plan.note = "dashed: ln 2, of a model that does not tell the responses apart";
  }
  return plan;
}

CurvePoints SumSoFar(const CurvePoints* per_step) {
  CurvePoints sums;
  if (per_step == nullptr) return sums;
  double sum = 0, last = 0;
  for (const auto& [step, amount] : *per_step) {
    sum += amount * std::max(step - last, 0.0);
    last = step;
    sums.emplace_back(step, sum);
  }
  return sums;
}

}  // namespace

const CurvePoints* RunCurves::Find(const std::string& metric) const {
  const auto it = series.find(metric);
  return it == series.end() || it->second.empty() ? nullptr : &it->second;
}

CurvePoints MeanCourse(const CurvePoints& points) {
  if (points.size() <= kMeanFrom) return {};
  return Smoothed(points, std::max(5.0, static_cast<double>(points.size()) / 25));
}

std::vector<PageSection> StepSections(const std::vector<RunCurves>& runs, size_t points_max) {
  std::vector<PageSection> sections = {
      {.title = kLearning, .if_empty = "No numbers of steps."},
      {.title = kDivergence,
       .if_empty = "Not measured in this run: methods with a constraint and evaluations against an "
                   "online reference report it."},
      {.title = kSpeed},
      {.title = kOther}};
  for (const FigurePlan& plan : Plans()) {
    const auto section = std::find_if(sections.begin(), sections.end(), [&](const PageSection& s) {
      return s.title == plan.section;
    });
    Append(FiguresOf(ForRuns(plan, runs), runs), points_max, &*section);
  }
  for (const std::string& name : OtherNames(runs)) {
    const FigurePlan plan{kOther, name.c_str(), "", "", {{name.c_str(), "training"}}};
    Append(FiguresOf(plan, runs), points_max, &sections.back());
  }
  return sections;
}

std::vector<Figure> FrontierFigures(const std::vector<RunCurves>& runs) {
  constexpr std::pair<const char*, const char*> kDivergences[] = {
      {"kl/chosen", "KL of the chosen response, nats"},
      {"divergence/chosen", "divergence of the chosen response"},
      {"divergence/relative", "relative feature distance"}};
  constexpr size_t kSteps = 100;
  std::vector<Figure> figures;
  for (const auto& [metric, words] : kDivergences) {
    Figure figure{.title = absl::StrCat("Accuracy against ", words), .unit = "%", .x_label = words};
    figure.note = "a point per evaluation; without evaluations, of the steps' moving averages";
    for (size_t r = 0; r < runs.size(); ++r) {
      const auto joined = [&, metric = metric](const std::string& prefix) -> CurvePoints {
        const CurvePoints* x = runs[r].Find(absl::StrCat(prefix, metric));
        const CurvePoints* y = runs[r].Find(absl::StrCat(prefix, "rewards/accuracies"));
        if (x == nullptr || y == nullptr) return {};
        if (!prefix.empty() || x->size() <= kMeanFrom) return Against(*y, *x);
        return EverySoMany(Against(MeanCourse(*y), MeanCourse(*x)), kSteps);
      };
      FigureSeries series{.label = runs[r].name, .style = FigureSeries::Style::kPoints};
      series.points = joined(std::string(kHeldOut));
      if (series.points.empty()) series.points = joined("");
      for (auto& [x, y] : series.points) y *= kPercent;
      series.run = static_cast<int>(r);
      series.colour = static_cast<int>(r) % kFigureColours;
      if (!series.points.empty()) figure.series.push_back(std::move(series));
    }
    if (!figure.series.empty()) figures.push_back(std::move(figure));
  }
  return figures;
}

CurvePoints SecondsSoFar(const RunCurves& run) { return SumSoFar(run.Find("step_seconds")); }

CurvePoints PairsSoFar(const RunCurves& run) { return SumSoFar(run.Find("pairs")); }

}  // namespace fpo

#include "ctl/jobs/sweep_plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/job/job_file.h"
#include "common/job/method_table.h"
#include "ctl/command_line/exit_code.h"

namespace fpo::ctl {
namespace {

constexpr size_t kNameMax = 63;

std::string NamePart(absl::string_view text) {
  std::string part;
  for (const char c : absl::AsciiStrToLower(text)) {
    const bool word = absl::ascii_isalnum(static_cast<unsigned char>(c));
    if (word || (!part.empty() && part.back() != '-')) part.push_back(word ? c : '-');
  }
  while (!part.empty() && part.back() == '-') part.pop_back();
  return part;
}

// "tiny" with method.beta at 0.1: "tiny-beta-0-1"; a run "dpo" of it: "tiny-dpo". The number
// replaces what does not fit.
std::string NameOf(const std::string& base, const std::vector<GridAxis>& axes,
                   const std::vector<std::string>& values, std::set<std::string>* taken) {
  std::string name = base;
  for (size_t i = 0; i < axes.size(); ++i) {
    const std::string& key = axes[i].key;
    if (axes[i].runs.empty()) absl::StrAppend(&name, "-", NamePart(key.substr(key.rfind('.') + 1)));
    absl::StrAppend(&name, "-", NamePart(values[i]));
  }
  const std::string number = absl::StrCat("-", taken->size() + 1);
  if (name.size() > kNameMax || taken->count(name) > 0) {
    name = absl::StrCat(name.substr(0, kNameMax - number.size()), number);
  }
  taken->insert(name);
  return name;
}

// Jobs with the same text find the same margins in the cache; features are extra (FeatureKey).
std::string RecordKey(const JobConfig& config) {
  JobConfig key;
  key.name = "key";
  key.model = config.model;
  key.reference = config.reference;
  key.data = config.data;
  return WriteJobJson(key);
}

bool NeedsFeatures(const JobConfig& config) { return ComparesFeatures(config.method); }

std::string FeatureKey(const JobConfig& config) {
  if (!NeedsFeatures(config)) return "";
  JobConfig key;
  key.name = "key";
  key.sae = config.sae;
  key.method.features = config.method.features;
  return WriteJobJson(key);
}

// Groups runs that one reference job can serve: those with the same features and, since records
// with features contain those without, the ones that need none.
class ReferenceGroups {
 public:
  void Add(size_t run, const JobConfig& config) {
    if (config.kind != "train" || config.reference.source != "cached") return;
    groups_[RecordKey(config)][FeatureKey(config)].push_back(run);
  }

  std::vector<std::vector<size_t>> Sets() {
    std::vector<std::vector<size_t>> sets;
    for (auto& [records, by_features] : groups_) {
      const auto plain = by_features.find("");
      if (plain != by_features.end() && by_features.size() > 1) {
        std::vector<size_t> moved = std::move(plain->second);
        by_features.erase(plain);
        std::vector<size_t>& host = by_features.begin()->second;  // its first run has features
        host.insert(host.end(), moved.begin(), moved.end());
      }
      for (auto& [features, runs] : by_features) sets.push_back(std::move(runs));
    }
    std::sort(sets.begin(), sets.end());
    return sets;
  }

 private:
  std::map<std::string, std::map<std::string, std::vector<size_t>>> groups_;
};

// With max_steps at its limit a reference job covers what whole runs read: every training pair, but
// only the evaluation pairs that are evaluated.
constexpr int64_t kStepsOfWholeRuns = 1'000'000'000'000;

// The reference job of some of the runs: it covers all that at least one of them reads. Runs that
// end early read different pairs when their order or length differs; then it covers everything.
JobConfig SharedReferenceJob(const std::vector<JobConfig>& runs, const std::vector<size_t>& set,
                             const std::string& suffix) {
  const JobConfig& first = runs[set.front()];
  JobConfig job = ReferenceJobOf(first, suffix);
  job.max_steps = first.max_steps.value_or(kStepsOfWholeRuns);
  for (const size_t i : set) {
    const JobConfig& run = runs[i];
    job.evaluate.pairs = std::max(job.evaluate.pairs, run.evaluate.pairs);
    const bool same = run.max_steps == first.max_steps && run.epochs == first.epochs &&
                      run.seed == first.seed && run.batch.pairs == first.batch.pairs;
    if (!same) job.max_steps = kStepsOfWholeRuns;
  }
  return job;
}

}  // namespace

absl::StatusOr<GridAxis> ParseGridAxis(const std::string& text) {
  const size_t equals = text.find('=');
  GridAxis axis;
  axis.key = text.substr(0, equals);
  std::string value;
  int depth = 0;
  for (const char c : equals == std::string::npos ? "" : text.substr(equals + 1)) {
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (c == ',' && depth == 0) {
      axis.values.push_back(std::exchange(value, ""));
    } else {
      value.push_back(c);
    }
  }
  axis.values.push_back(std::move(value));
  for (const std::string& each : axis.values) {
    if (!axis.key.empty() && !each.empty()) continue;
    return UsageError(absl::StrCat("sweep: --grid is '", text,
                                   "' and must be KEY=VALUE,VALUE,..., e.g. method.beta=0.1,0.5"),
                      "fpoctl sweep --help");
  }
  return axis;
}

GridAxis AxisOfRuns(std::vector<JobRun> runs) {
  GridAxis axis{"run", {}, std::move(runs)};
  for (const JobRun& run : axis.runs) axis.values.push_back(run.name);
  return axis;
}

JobConfig ReferenceJobOf(const JobConfig& config, const std::string& suffix) {
  JobConfig job = config;
  job.kind = "reference";
  job.name = absl::StrCat(config.name.substr(0, kNameMax - suffix.size()), suffix);
  absl::StrAppend(&job.output, suffix);
  job.max_steps.reset();  // for all runs on this data, however long
  return job;
}

absl::StatusOr<SweepPlan> PlanSweep(
    const std::vector<GridAxis>& axes,
    const std::function<absl::StatusOr<JobConfig>(const JobChanges&)>& load) {
  size_t count = 1;
  for (const GridAxis& axis : axes) {
    count *= axis.values.size();
    if (count > kSweepRunsMax) {
      return UsageError(absl::StrCat("sweep: these are more than ", kSweepRunsMax, " runs"),
                        "split it into several sweeps");
    }
  }
  SweepPlan plan;
  std::vector<JobConfig> asked;  // with the name and folder of the file
  std::set<std::string> names;
  ReferenceGroups groups;
  for (size_t i = 0; i < count; ++i) {
    SweepRun run;
    JobChanges changes;
    size_t rest = i;
    run.values.resize(axes.size());
    for (size_t a = axes.size(); a-- > 0; rest /= axes[a].values.size()) {
      const size_t at = rest % axes[a].values.size();
      run.values[a] = axes[a].values[at];
      if (!axes[a].runs.empty()) changes.run = &axes[a].runs[at];
    }
    for (size_t a = 0; a < axes.size(); ++a) {
      if (!axes[a].runs.empty()) continue;
      changes.set.push_back(absl::StrCat(axes[a].key, "=", run.values[a]));
    }
    absl::StatusOr<JobConfig> config = load(changes);
    if (!config.ok()) return config.status();
    run.config = *std::move(config);
    groups.Add(i, run.config);
    asked.push_back(run.config);
    run.config.name = NameOf(run.config.name, axes, run.values, &names);
    absl::StrAppend(&run.config.output, "/", run.config.name);
    plan.runs.push_back(std::move(run));
  }
  for (const std::vector<size_t>& set : groups.Sets()) {
    if (set.size() < 2) continue;
    for (const size_t i : set) plan.runs[i].reference = static_cast<int>(plan.references.size());
    const size_t number = plan.references.size() + 1;
    JobConfig job = SharedReferenceJob(
        asked, set, number == 1 ? "-reference" : absl::StrCat("-reference-", number));
    job.output = absl::StrCat(asked[set.front()].output, "/", job.name);
    plan.references.push_back(std::move(job));
  }
  return plan;
}

}  // namespace fpo::ctl

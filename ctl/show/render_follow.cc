#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/observe/work.h"
#include "ctl/show/human.h"
#include "ctl/show/render.h"

namespace fpo::ctl {
namespace {

constexpr int kBarMax = 40;
constexpr int kBarMin = 10;

std::optional<double> Find(const std::map<std::string, double>& metrics, const char* name) {
  const auto found = metrics.find(name);
  if (found == metrics.end()) return std::nullopt;
  return found->second;
}

std::optional<absl::Duration> Elapsed(const JobView& job, absl::Time now) {
  const std::optional<absl::Time> from = job.started ? job.started : job.submitted;
  if (!from) return std::nullopt;
  return job.ended.value_or(now) - *from;
}

// How much of a phase is left, at the measured rate.
std::optional<absl::Duration> Remaining(const JobView& job, const FollowState& follow) {
  const ProgressView& p = job.progress;
  if (!follow.units_per_second || *follow.units_per_second <= 0 || p.total <= p.done) {
    return std::nullopt;
  }
  const double seconds = static_cast<double>(p.total - p.done) / *follow.units_per_second;
  return absl::Seconds(std::min(seconds, 1e8));
}

std::vector<std::string> PhasesOf(const JobView& job) {
  if (job.has_reference) return {"prepare", "reference", "train", "finish"};
  return {"prepare", "train", "finish"};
}

const char* PhaseMark(int position, int current, bool unicode, bool ended) {
  if (position < current) return unicode ? "✓" : "[done]";
  if (position == current && ended) return unicode ? "✗" : "[ended]";
  if (position == current) return unicode ? "▶" : "[now]";
  return unicode ? "·" : "";
}

std::string PhaseLine(const JobView& job, const TextStyle& style) {
  std::vector<std::string> phases = PhasesOf(job);
  const std::string& now = job.progress.phase;
  const auto found = std::find(phases.begin(), phases.end(), now);
  int current = static_cast<int>(found - phases.begin());
  if (found == phases.end() && !now.empty()) {
    phases = {now};  // of a newer server: shown as it is
    current = 0;
  } else if (now.empty()) {
    current = -1;
  }
  if (job.state == "SUCCEEDED") current = static_cast<int>(phases.size());
  std::vector<std::string> words;
  for (size_t i = 0; i < phases.size(); ++i) {
    const char* mark = PhaseMark(static_cast<int>(i), current, style.unicode, job.IsTerminal());
    words.push_back(*mark == '\0' ? phases[i] : absl::StrCat(phases[i], " ", mark));
  }
  return absl::StrCat("  ", absl::StrJoin(words, style.unicode ? "   " : " > "));
}

std::string Amount(const ProgressView& p) {
  if (p.unit == "bytes") return WorkText({{"", "", p.done, p.total, p.unit}});
  const std::string unit = p.unit.empty() ? "" : absl::StrCat(" ", p.unit);
  if (p.total <= 0) return absl::StrCat(HumanCount(p.done), unit);
  return absl::StrCat(HumanCount(p.done), " of ", HumanCount(p.total), unit);
}

std::string BarLine(const JobView& job, const FollowState& follow, const TextStyle& style) {
  const ProgressView& p = job.progress;
  if (p.total <= 0) return absl::StrCat("  ", p.done > 0 ? Amount(p) : "-");
  std::string text = absl::StrCat(HumanPercent(p.done, p.total), "  ", Amount(p));
  if (!job.IsTerminal()) absl::StrAppend(&text, "  ETA ", HumanDuration(Remaining(job, follow)));
  const int room = style.columns - DisplayWidth(text) - 4;
  const int columns = style.columns > 0 ? std::clamp(room, kBarMin, kBarMax) : kBarMax;
  const double fraction = static_cast<double>(p.done) / static_cast<double>(p.total);
  return absl::StrCat("  ", Bar(fraction, columns, style.unicode), "  ", text);
}

std::string DivergenceText(const std::map<std::string, double>& m) {
  const std::optional<double> chosen = Find(m, "divergence/chosen");
  const std::optional<double> rejected = Find(m, "divergence/rejected");
  if (!chosen && !rejected) return "-";
  return absl::StrCat(HumanNumber(chosen), "/", HumanNumber(rejected));
}

// Rewards and divergences exist for jobs that learn from pairs.
bool LearnsFromPairs(const JobView& job) { return job.kind == "train" && job.method != "sft"; }

std::string NumbersLine(const JobView& job) {
  const ProgressView& p = job.progress;
  const std::string of = p.total_steps > 0 ? absl::StrCat("/", HumanCount(p.total_steps)) : "";
  std::string line = absl::StrCat("  step ", p.step > 0 ? HumanCount(p.step) + of : "-", "   loss ",
                                  HumanNumber(Find(p.metrics, "loss")));
  if (job.kind == "sae") {
    return absl::StrCat(line, "   active ", HumanNumber(Find(p.metrics, "l0")), " a token");
  }
  if (!LearnsFromPairs(job)) return line;
  return absl::StrCat(line, "   accuracy ", HumanNumber(Find(p.metrics, "rewards/accuracies")),
                      "   margin ", HumanNumber(Find(p.metrics, "rewards/margins")));
}

// Per second, of the last step; nothing when a step's numbers are missing.
std::optional<double> TokensPerSecond(const ProgressView& p) {
  const std::optional<double> tokens = Find(p.metrics, "tokens");
  const std::optional<double> seconds = Find(p.metrics, "step_seconds");
  if (!tokens || !seconds || *seconds <= 0) return std::nullopt;
  return *tokens / *seconds;
}

std::string SpeedText(const ProgressView& p) {
  const std::optional<double> rate = TokensPerSecond(p);
  return rate ? absl::StrCat(HumanCount(std::llround(*rate)), " tokens/s") : "-";
}

// Before the first step there are no numbers to show, and nobody misses them.
bool HasSteps(const JobView& job) {
  return job.progress.phase == "train" || job.progress.step > 0 || !job.progress.metrics.empty();
}

std::string HeadLine(const JobView& job, const FollowState& follow, const TextStyle& style) {
  std::string tail = absl::StrCat("  ", HumanDuration(Elapsed(job, follow.now)));
  if (job.attempt() > 1) absl::StrAppend(&tail, "  attempt ", job.attempt());
  const std::string state = absl::StrCat("  ", job.state);
  std::string name = absl::StrCat(job.job_id, "  ", OneLine(job.name));
  if (style.columns > 0) {
    name = FitWidth(name, style.columns - DisplayWidth(state) - DisplayWidth(tail), style.unicode);
  }
  return absl::StrCat(name, ColoredState(state, job.state, style), tail);
}

}  // namespace

std::string CacheLine(const JobView& job) {
  if (!job.cache || job.cache->total <= 0) return "";
  const CacheView& cache = *job.cache;
  const int64_t present = std::min(cache.total, cache.hit + cache.computed);
  if (cache.hit >= cache.total) {
    return absl::StrCat("all ", HumanCount(cache.total), " records present: no reference pass");
  }
  if (present >= cache.total) {
    return absl::StrCat("records: all ", HumanCount(cache.total), " present, ",
                        HumanCount(cache.hit), " from the cache, ", HumanCount(cache.computed),
                        " computed");
  }
  return absl::StrCat("records: ", HumanCount(present), " of ", HumanCount(cache.total),
                      " present, ", HumanCount(cache.total - present), " to compute");
}

std::string RenderWatchBlock(const JobView& job, const FollowState& follow,
                             const TextStyle& style) {
  std::vector<std::string> lines = {HeadLine(job, follow, style)};
  if (!job.reason.empty()) lines.push_back(absl::StrCat("  ", OneLine(job.reason)));
  lines.push_back(PhaseLine(job, style));
  // What ended shows no numbers that it does not have.
  const ProgressView& p = job.progress;
  const bool has_bar = !job.IsTerminal() || p.done > 0 || p.total > 0;
  if (!job.attempts.empty() && has_bar) lines.push_back(BarLine(job, follow, style));
  if (!p.activity.empty() && !job.IsTerminal()) {
    lines.push_back(absl::StrCat("  ", OneLine(p.activity)));
  }
  if (HasSteps(job) && (!job.IsTerminal() || p.step > 0)) {
    const std::string divergence =
        LearnsFromPairs(job) ? absl::StrCat("divergence ", DivergenceText(job.progress.metrics),
                                            " (chosen/rejected)   ")
                             : "";
    lines.push_back(NumbersLine(job));
    const std::string speed = SpeedText(job.progress);
    const bool says_speed = !job.IsTerminal() || !divergence.empty() || speed != "-";
    if (says_speed) lines.push_back(absl::StrCat("  ", divergence, "speed ", speed));
  }
  const std::string cache = CacheLine(job);
  if (!cache.empty()) lines.push_back(absl::StrCat("  ", cache));
  if (!follow.note.empty()) lines.push_back(absl::StrCat("  ", OneLine(follow.note)));
  std::string block;
  for (size_t i = 0; i < lines.size(); ++i) {
    // The first line may hold colour and is cut already.
    const bool cut = i > 0 && style.columns > 0;
    absl::StrAppend(&block, cut ? FitWidth(lines[i], style.columns, style.unicode) : lines[i],
                    "\n");
  }
  return block;
}

std::string RenderWatchLine(const JobView& job, const FollowState& follow) {
  const ProgressView& p = job.progress;
  std::string line = absl::StrCat(job.job_id, " ", job.state);
  if (!p.phase.empty() && !job.IsTerminal()) absl::StrAppend(&line, " ", OneLine(p.phase));
  if (job.attempt() > 1) absl::StrAppend(&line, " (attempt ", job.attempt(), ")");
  if (!job.IsTerminal() && (p.done > 0 || p.total > 0)) absl::StrAppend(&line, " ", Amount(p));
  if (!job.IsTerminal() && !p.activity.empty()) {
    absl::StrAppend(&line, " (", OneLine(p.activity), ")");
  }
  if (!job.reason.empty()) absl::StrAppend(&line, ": ", OneLine(job.reason));
  if (job.IsTerminal()) return absl::StrCat(line, "\n");
  const std::pair<const char*, const char*> kNumbers[] = {
      {"loss", "loss"}, {"rewards/accuracies", "accuracy"}, {"rewards/margins", "margin"}};
  for (const auto& [name, label] : kNumbers) {
    const std::optional<double> value = Find(p.metrics, name);
    if (value) absl::StrAppend(&line, ", ", label, " ", HumanNumber(*value));
  }
  if (DivergenceText(p.metrics) != "-") {
    absl::StrAppend(&line, ", divergence ", DivergenceText(p.metrics));
  }
  if (TokensPerSecond(p)) absl::StrAppend(&line, ", ", SpeedText(p));
  const std::optional<absl::Duration> remaining = Remaining(job, follow);
  if (remaining) absl::StrAppend(&line, ", ETA ", HumanDuration(*remaining));
  const std::string cache = CacheLine(job);
  if (!cache.empty() && p.phase == "reference") absl::StrAppend(&line, ", ", cache);
  return absl::StrCat(line, "\n");
}

}  // namespace fpo::ctl

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/observe/work.h"
#include "common/wire/enums.h"
#include "common/wire/wire_time.h"
#include "ctl/show/human.h"
#include "ctl/show/job_facts.h"
#include "ctl/show/render.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;
using Numbers = google::protobuf::Map<std::string, double>;

constexpr int kBarMax = 40;
constexpr int kBarMin = 10;

std::optional<double> Find(const Numbers& metrics, const char* name) {
  const auto found = metrics.find(name);
  if (found == metrics.end()) return std::nullopt;
  return found->second;
}

std::optional<absl::Duration> Elapsed(const pb::Job& job, absl::Time now) {
  if (!job.has_started() && !job.has_submitted()) return std::nullopt;
  return (job.has_ended() ? TimeOf(job.ended()) : now) -
         TimeOf(job.has_started() ? job.started() : job.submitted());
}

// How much of a phase is left, at the measured rate.
std::optional<absl::Duration> Remaining(const pb::Job& job, const FollowState& follow) {
  const pb::JobProgress& p = job.progress();
  if (!follow.units_per_second || *follow.units_per_second <= 0 || p.total() <= p.done()) {
    return std::nullopt;
  }
  const double seconds = static_cast<double>(p.total() - p.done()) / *follow.units_per_second;
  return absl::Seconds(std::min(seconds, 1e8));
}

std::vector<Phase> PhasesOf(const pb::Job& job) {
  if (ConfigFactsOf(job).has_reference) {
    return {Phase::kPrepare, Phase::kReference, Phase::kTrain, Phase::kFinish};
  }
  return {Phase::kPrepare, Phase::kTrain, Phase::kFinish};
}

const char* PhaseMark(int position, int current, bool unicode, bool ended) {
  if (position < current) return unicode ? "✓" : "[done]";
  if (position == current && ended) return unicode ? "✗" : "[ended]";
  if (position == current) return unicode ? "▶" : "[now]";
  return unicode ? "·" : "";
}

std::string PhaseLine(const pb::Job& job, const TextStyle& style) {
  std::vector<Phase> phases = PhasesOf(job);
  const std::optional<Phase> now = FromProto(job.progress().phase());
  const auto found = now ? std::find(phases.begin(), phases.end(), *now) : phases.end();
  int current = now ? static_cast<int>(found - phases.begin()) : -1;
  if (now && found == phases.end()) {
    phases = {*now};  // the job's configuration cannot be read: what is known is shown
    current = 0;
  }
  if (job.state() == pb::JOB_STATE_SUCCEEDED) current = static_cast<int>(phases.size());
  std::vector<std::string> words;
  for (size_t i = 0; i < phases.size(); ++i) {
    const char* mark = PhaseMark(static_cast<int>(i), current, style.unicode, IsTerminal(job));
    const absl::string_view name = Name(phases[i]);
    words.push_back(absl::StrCat(name, *mark == '\0' ? "" : " ", mark));
  }
  return absl::StrCat("  ", absl::StrJoin(words, style.unicode ? "   " : " > "));
}

std::string Amount(const pb::JobProgress& p) {
  if (p.unit() == "bytes") return WorkText({{"", "", p.done(), p.total(), p.unit()}});
  const std::string unit = p.unit().empty() ? "" : absl::StrCat(" ", p.unit());
  if (p.total() <= 0) return absl::StrCat(HumanCount(p.done()), unit);
  return absl::StrCat(HumanCount(p.done()), " of ", HumanCount(p.total()), unit);
}

std::string BarLine(const pb::Job& job, const FollowState& follow, const TextStyle& style) {
  const pb::JobProgress& p = job.progress();
  if (p.total() <= 0) return absl::StrCat("  ", p.done() > 0 ? Amount(p) : "-");
  std::string text = absl::StrCat(HumanPercent(p.done(), p.total()), "  ", Amount(p));
  if (!IsTerminal(job)) absl::StrAppend(&text, "  ETA ", HumanDuration(Remaining(job, follow)));
  const int room = style.columns - DisplayWidth(text) - 4;
  const int columns = style.columns > 0 ? std::clamp(room, kBarMin, kBarMax) : kBarMax;
  const double fraction = static_cast<double>(p.done()) / static_cast<double>(p.total());
  return absl::StrCat("  ", Bar(fraction, columns, style.unicode), "  ", text);
}

std::string DivergenceText(const Numbers& m) {
  const std::optional<double> chosen = Find(m, "divergence/chosen");
  const std::optional<double> rejected = Find(m, "divergence/rejected");
  if (!chosen && !rejected) return "-";
  return absl::StrCat(HumanNumber(chosen), "/", HumanNumber(rejected));
}

// Rewards and divergences exist for jobs that learn from pairs.
bool LearnsFromPairs(const pb::Job& job) {
  return job.kind() == pb::JOB_KIND_TRAIN && job.method() != "sft";
}

std::string NumbersLine(const pb::Job& job) {
  const pb::JobProgress& p = job.progress();
  const std::string of = p.total_steps() > 0 ? absl::StrCat("/", HumanCount(p.total_steps())) : "";
  std::string line = absl::StrCat("  step ", p.step() > 0 ? HumanCount(p.step()) + of : "-",
                                  "   loss ", HumanNumber(Find(p.metrics(), "loss")));
  if (job.kind() == pb::JOB_KIND_SAE) {
    return absl::StrCat(line, "   active ", HumanNumber(Find(p.metrics(), "l0")), " a token");
  }
  if (!LearnsFromPairs(job)) return line;
  return absl::StrCat(line, "   accuracy ", HumanNumber(Find(p.metrics(), "rewards/accuracies")),
                      "   margin ", HumanNumber(Find(p.metrics(), "rewards/margins")));
}

// Per second, of the last step; nothing when a step's numbers are missing.
std::optional<double> TokensPerSecond(const pb::JobProgress& p) {
  const std::optional<double> tokens = Find(p.metrics(), "tokens");
  const std::optional<double> seconds = Find(p.metrics(), "step_seconds");
  if (!tokens || !seconds || *seconds <= 0) return std::nullopt;
  return *tokens / *seconds;
}

std::string SpeedText(const pb::JobProgress& p) {
  const std::optional<double> rate = TokensPerSecond(p);
  return rate ? absl::StrCat(HumanCount(std::llround(*rate)), " tokens/s") : "-";
}

// Before the first step there are no numbers to show.
bool HasSteps(const pb::Job& job) {
  return job.progress().phase() == pb::PHASE_TRAIN || job.progress().step() > 0 ||
         !job.progress().metrics().empty();
}

std::string HeadLine(const pb::Job& job, const FollowState& follow, const TextStyle& style) {
  std::string tail = absl::StrCat("  ", HumanDuration(Elapsed(job, follow.now)));
  if (AttemptNumber(job) > 1) absl::StrAppend(&tail, "  attempt ", AttemptNumber(job));
  const std::string state = absl::StrCat("  ", TextOf(job.state()));
  std::string name = absl::StrCat(job.job_id(), "  ", OneLine(job.name()));
  if (style.columns > 0) {
    name = FitWidth(name, style.columns - DisplayWidth(state) - DisplayWidth(tail), style.unicode);
  }
  return absl::StrCat(name, ColoredState(state, TextOf(job.state()), style), tail);
}

}  // namespace

std::string CacheLine(const pb::Job& job) {
  if (!UsesCache(job)) return "";
  const pb::CacheUse& cache = job.progress().cache();
  const int64_t present =
      std::min(cache.records_total(), cache.records_hit() + cache.records_computed());
  if (cache.records_hit() >= cache.records_total()) {
    return absl::StrCat("all ", HumanCount(cache.records_total()),
                        " records present: no reference pass");
  }
  if (present >= cache.records_total()) {
    return absl::StrCat("records: all ", HumanCount(cache.records_total()), " present, ",
                        HumanCount(cache.records_hit()), " from the cache, ",
                        HumanCount(cache.records_computed()), " computed");
  }
  return absl::StrCat("records: ", HumanCount(present), " of ", HumanCount(cache.records_total()),
                      " present, ", HumanCount(cache.records_total() - present), " to compute");
}

std::string RenderWatchBlock(const pb::Job& job, const FollowState& follow,
                             const TextStyle& style) {
  std::vector<std::string> lines = {HeadLine(job, follow, style)};
  if (!job.reason().empty()) lines.push_back(absl::StrCat("  ", OneLine(job.reason())));
  lines.push_back(PhaseLine(job, style));
  // An ended job shows only numbers that it has.
  const pb::JobProgress& p = job.progress();
  const bool has_bar = !IsTerminal(job) || p.done() > 0 || p.total() > 0;
  if (!job.attempts().empty() && has_bar) lines.push_back(BarLine(job, follow, style));
  if (!p.activity().empty() && !IsTerminal(job)) {
    lines.push_back(absl::StrCat("  ", OneLine(p.activity())));
  }
  if (HasSteps(job) && (!IsTerminal(job) || p.step() > 0)) {
    const std::string divergence =
        LearnsFromPairs(job) ? absl::StrCat("divergence ", DivergenceText(job.progress().metrics()),
                                            " (chosen/rejected)   ")
                             : "";
    lines.push_back(NumbersLine(job));
    const std::string speed = SpeedText(job.progress());
    const bool says_speed = !IsTerminal(job) || !divergence.empty() || speed != "-";
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

std::string RenderWatchLine(const pb::Job& job, const FollowState& follow) {
  const pb::JobProgress& p = job.progress();
  std::string line = absl::StrCat(job.job_id(), " ", TextOf(job.state()));
  const absl::string_view phase = TextOf(p.phase());
  if (!phase.empty() && !IsTerminal(job)) absl::StrAppend(&line, " ", phase);
  if (AttemptNumber(job) > 1) absl::StrAppend(&line, " (attempt ", AttemptNumber(job), ")");
  if (!IsTerminal(job) && (p.done() > 0 || p.total() > 0)) absl::StrAppend(&line, " ", Amount(p));
  if (!IsTerminal(job) && !p.activity().empty()) {
    absl::StrAppend(&line, " (", OneLine(p.activity()), ")");
  }
  if (!job.reason().empty()) absl::StrAppend(&line, ": ", OneLine(job.reason()));
  if (IsTerminal(job)) return absl::StrCat(line, "\n");
  const std::pair<const char*, const char*> kNumbers[] = {
      {"loss", "loss"}, {"rewards/accuracies", "accuracy"}, {"rewards/margins", "margin"}};
  for (const auto& [name, label] : kNumbers) {
    const std::optional<double> value = Find(p.metrics(), name);
    if (value) absl::StrAppend(&line, ", ", label, " ", HumanNumber(*value));
  }
  if (DivergenceText(p.metrics()) != "-") {
    absl::StrAppend(&line, ", divergence ", DivergenceText(p.metrics()));
  }
  if (TokensPerSecond(p)) absl::StrAppend(&line, ", ", SpeedText(p));
  const std::optional<absl::Duration> remaining = Remaining(job, follow);
  if (remaining) absl::StrAppend(&line, ", ETA ", HumanDuration(*remaining));
  const std::string cache = CacheLine(job);
  if (!cache.empty() && p.phase() == pb::PHASE_REFERENCE) absl::StrAppend(&line, ", ", cache);
  return absl::StrCat(line, "\n");
}

}  // namespace fpo::ctl

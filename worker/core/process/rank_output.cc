#include "worker/core/process/rank_output.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "worker/core/run_checkpoints.h"

namespace fpo::worker {
namespace {

constexpr size_t kLastLines = 5;
constexpr size_t kLastLineBytesMax = 2000;

// Adds digest, size and score of the checkpoint: retention may remove its folder before they are
// needed.
std::string Described(const TrainEvent& event, const std::string& json) {
  if (!event.digest.empty()) return json;
  const std::optional<TrainEvent> facts = DescribeCheckpoint(event.file);
  if (!facts) return json;
  TrainEvent described = event;
  described.digest = facts->digest;
  described.metrics.insert(facts->metrics.begin(), facts->metrics.end());
  return EncodeEvent(described);
}

}  // namespace

void RankOutput::OnLine(int32_t rank, LineStream stream, const std::string& text) {
  absl::MutexLock lock(&mutex_);
  last_heard_ = BootNow();
  if (stream == LineStream::kStderr && !text.empty()) {
    std::deque<std::string>& lines = last_lines_[rank].lines;
    lines.push_back(text.substr(0, kLastLineBytesMax));
    if (lines.size() > kLastLines) lines.pop_front();
  }
  outbox_->AddLog(attempt_, {.rank = rank,
                             .stream = stream,
                             .time_unix_ms = absl::ToUnixMillis(absl::Now()),
                             .text = text});
}

void RankOutput::OnEvent(int32_t rank, const TrainEvent& event, const std::string& json) {
  metrics_->OnTrainEvent(event);
  {
    absl::MutexLock lock(&mutex_);
    last_heard_ = BootNow();
    if (event.kind == EventKind::kError && !event.message.empty())
      last_lines_[rank].error = event.message;
  }
  outbox_->AddEvent(attempt_,
                    {.rank = rank,
                     .stream = {},
                     .time_unix_ms = absl::ToUnixMillis(absl::Now()),
                     .text = event.kind == EventKind::kCheckpoint ? Described(event, json) : json});
  // People read the log, not the events.
  const bool warns = event.kind == EventKind::kWarning || event.kind == EventKind::kCheckpointBad;
  if (warns) OnLine(rank, LineStream::kAgent, absl::StrCat("warning: ", event.message));
}

absl::Time RankOutput::last_heard() const {
  absl::MutexLock lock(&mutex_);
  return last_heard_;
}

void RankOutput::Note(const std::string& text) { OnLine(agent_rank_, LineStream::kAgent, text); }

void RankOutput::Emit(TrainEvent event) {
  event.time = absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
  OnEvent(agent_rank_, event, EncodeEvent(event));
}

std::string RankOutput::LastOutput(int32_t rank) const {
  absl::MutexLock lock(&mutex_);
  const auto found = last_lines_.find(rank);
  if (found == last_lines_.end()) return "";
  if (!found->second.error.empty()) return found->second.error;
  return absl::StrJoin(found->second.lines, "\n");
}

void RankOutput::ForgetOutput() {
  absl::MutexLock lock(&mutex_);
  last_heard_ = BootNow();
  last_lines_.clear();
}

}  // namespace fpo::worker

#include "worker/agent/core/rank_output.h"

#include <utility>

#include "absl/strings/str_join.h"
#include "absl/time/clock.h"

namespace fpo::agent {
namespace {

constexpr size_t kLastLines = 5;
constexpr size_t kLastLineBytesMax = 2000;

}  // namespace

void RankOutput::OnLine(int32_t rank, const std::string& stream, const std::string& text) {
  if (stream == "stderr" && !text.empty()) {
    absl::MutexLock lock(&mutex_);
    std::deque<std::string>& lines = words_[rank].lines;
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
  if (event.kind == "error" && !event.message.empty()) {
    absl::MutexLock lock(&mutex_);
    words_[rank].error = event.message;
  }
  outbox_->AddEvent(
      attempt_,
      {.rank = rank, .stream = "", .time_unix_ms = absl::ToUnixMillis(absl::Now()), .text = json});
}

void RankOutput::Note(const std::string& text) { OnLine(agent_rank_, "agent", text); }

void RankOutput::Emit(TrainEvent event) {
  event.time = absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
  OnEvent(agent_rank_, event, EncodeEvent(event));
}

std::string RankOutput::LastWords(int32_t rank) const {
  absl::MutexLock lock(&mutex_);
  const auto found = words_.find(rank);
  if (found == words_.end()) return "";
  if (!found->second.error.empty()) return found->second.error;
  return absl::StrJoin(found->second.lines, "\n");
}

void RankOutput::ForgetWords() {
  absl::MutexLock lock(&mutex_);
  words_.clear();
}

}  // namespace fpo::agent

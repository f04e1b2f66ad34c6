#include "coordinator/core/lines/log_retention.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/log.h"
#include "common/status_macros.h"

namespace fpo::coordinator {
namespace {

constexpr absl::Duration kLook = absl::Seconds(10);
constexpr int32_t kLinesPerTick = 4000;  // some ten milliseconds
constexpr int64_t kLineOverhead = 64;    // of key and value, beside the text
// Cuts this far below a limit, so that the next line does not meet it again.
constexpr double kRoom = 0.1;

int64_t BytesOf(const LogLine& line) {
  return static_cast<int64_t>(line.text.size()) + kLineOverhead;
}

std::string MiB(int64_t bytes) { return absl::StrCat(bytes >> 20, " MiB"); }

}  // namespace

absl::Status LogRetention::Load() {
  FPO_ASSIGN_OR_RETURN(stocks_, store_->LoadLogStocks());
  for (const JobPtr& job : jobs_->All()) {
    if (stocks_.count(job->job_id) > 0) continue;
    LogStock stock;
    for (LogQuery query;;) {
      FPO_ASSIGN_OR_RETURN(const LogPage page, store_->ReadLogs(job->job_id, query));
      if (!page.lines.empty()) stocks_[job->job_id] = stock = With(job->job_id, page.lines);
      if (page.at_end) break;
      query.after = page.after;
    }
    if (stock.bytes > 0) FPO_RETURN_IF_ERROR(store_->PutLogStock(job->job_id, stock));
  }
  for (const auto& [job_id, stock] : stocks_) total_ += stock.bytes;
  return absl::OkStatus();
}

LogStock LogRetention::With(const std::string& job_id, const std::vector<LogLine>& lines) const {
  const auto found = stocks_.find(job_id);
  LogStock stock = found == stocks_.end() ? LogStock() : found->second;
  for (const LogLine& line : lines) {
    if (stock.oldest_unix_ms == 0) stock.oldest_unix_ms = std::max<int64_t>(line.time_unix_ms, 0);
    stock.bytes += BytesOf(line);
  }
  return stock;
}

void LogRetention::Set(const std::string& job_id, const LogStock& stock) {
  LogStock& known = stocks_[job_id];
  total_ += stock.bytes - known.bytes;
  known = stock;
}

void LogRetention::Forget(const std::string& job_id) {
  Set(job_id, LogStock());
  stocks_.erase(job_id);
}

std::vector<LogRetention::Cut> LogRetention::Plan(absl::Time now) const {
  const int64_t before =
      limits_.keep > absl::ZeroDuration() ? absl::ToUnixMillis(now - limits_.keep) : 0;
  std::vector<Cut> cuts;
  for (const auto& [job_id, stock] : stocks_) {
    if (stock.oldest_unix_ms > 0 && stock.oldest_unix_ms < before) {
      cuts.push_back({job_id, "age", before, 0});
    }
    const int64_t most = limits_.job_bytes_max;
    if (most > 0 && stock.bytes > most) {
      const auto room = static_cast<int64_t>(static_cast<double>(most) * kRoom);
      cuts.push_back({job_id, "job_limit", 0, stock.bytes - most + room});
    }
  }
  if (cuts.empty()) AddCutsOfAllLogs(&cuts);
  return cuts;
}

void LogRetention::AddCutsOfAllLogs(std::vector<Cut>* cuts) const {
  const int64_t most = limits_.total_bytes_max;
  if (most <= 0 || total_ <= most) return;
  int64_t need = total_ - most + static_cast<int64_t>(static_cast<double>(most) * kRoom);
  struct Candidate {
    absl::Time ended;
    int64_t bytes;
    std::string job_id;
  };
  std::vector<Candidate> candidates;
  for (const auto& [job_id, stock] : stocks_) {
    const JobPtr job = jobs_->Get(job_id);
    const bool ended = !job || job->ended.has_value();
    const absl::Time when =
        ended ? (job ? *job->ended : absl::InfinitePast()) : absl::InfiniteFuture();
    if (stock.oldest_unix_ms > 0) candidates.push_back({when, stock.bytes, job_id});
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.ended != b.ended ? a.ended < b.ended : a.bytes > b.bytes;
  });
  for (const Candidate& candidate : candidates) {
    if (need <= 0) return;
    cuts->push_back({candidate.job_id, "total_limit", 0, std::min(need, candidate.bytes)});
    need -= candidate.bytes;
  }
}

LogLine LogRetention::GapLine(const Cut& cut, const LogStock& stock, const LogLine& last) const {
  std::string why;
  if (cut.reason == "age") {
    why = absl::StrCat("older than ", absl::FormatDuration(limits_.keep));
  } else if (cut.reason == "job_limit") {
    why = absl::StrCat("a job may keep ", MiB(limits_.job_bytes_max));
  } else {
    why = absl::StrCat("all jobs together may keep ", MiB(limits_.total_bytes_max));
  }
  LogLine gap;
  gap.cursor = last.cursor;
  gap.attempt = last.attempt;
  gap.rank = -1;
  gap.stream = LineStream::kGap;
  gap.time_unix_ms = last.time_unix_ms;
  gap.text = absl::StrCat("gap: ", stock.gap_lines, " lines (", stock.gap_bytes,
                          " bytes) before this one were removed: ", why);
  return gap;
}

absl::StatusOr<int32_t> LogRetention::Carry(const Cut& cut, int32_t lines_max) {
  LogStock stock = stocks_[cut.job_id];
  LogQuery query;
  query.after = stock.gap_cursor;
  query.lines_max = lines_max + 1;  // one more shows where the rest begins
  query.bytes_max = 64 << 20;
  query.looked_bytes_max = query.bytes_max;
  FPO_ASSIGN_OR_RETURN(const LogPage page, store_->ReadLogs(cut.job_id, query));
  const std::vector<LogLine>& lines = page.lines;
  int64_t freed = 0;
  size_t count = 0;
  bool old = false;  // lines without a time are as old as the one before
  for (; count < lines.size() && count < static_cast<size_t>(lines_max); ++count) {
    const LogLine& line = lines[count];
    if (line.time_unix_ms > 0) old = line.time_unix_ms < cut.before_unix_ms;
    if (!old && freed >= cut.bytes) break;
    freed += BytesOf(line);
    ++stock.gap_lines;
    stock.gap_bytes += static_cast<int64_t>(line.text.size());
  }
  stock.oldest_unix_ms = 0;
  for (size_t i = count; i < lines.size() && stock.oldest_unix_ms == 0; ++i) {
    stock.oldest_unix_ms = std::max<int64_t>(lines[i].time_unix_ms, 0);
  }
  if (count == 0) {  // what looked old was a line without a time
    Set(cut.job_id, stock);
    return 0;
  }
  stock.bytes = std::max<int64_t>(stock.bytes - freed, 0);
  const LogLine gap = GapLine(cut, stock, lines[count - 1]);
  stock.gap_cursor = gap.cursor;
  FPO_RETURN_IF_ERROR(store_->ReplaceLogs(cut.job_id, gap, stock));
  Set(cut.job_id, stock);
  removed_bytes_[cut.reason] += freed;
  return static_cast<int32_t>(count);
}

void LogRetention::Tick(absl::Time now) {
  if (now < next_look_) return;
  int32_t left = kLinesPerTick;
  for (const Cut& cut : Plan(now)) {
    const absl::StatusOr<int32_t> removed = Carry(cut, left);
    if (!removed.ok()) {
      Log(LogLevel::kWarning, absl::StrCat("removing old log lines: ", removed.status().message()),
          {{"job", cut.job_id}});
      break;
    }
    left -= *removed;
    if (left <= 0) return;  // the rest at the next tick
  }
  next_look_ = now + kLook;
}

}  // namespace fpo::coordinator

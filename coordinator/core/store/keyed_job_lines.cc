// Lines, their senders' positions, and the audit.
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "coordinator/core/store/job_keys.h"
#include "coordinator/core/store/keyed_job_store.h"

namespace fpo::coordinator {
namespace {

constexpr char kSyncKey[] = "last_sync";

// How much a read of logs has looked at.
class LookLimit {
 public:
  explicit LookLimit(const LogQuery& query)
      : lines_(query.looked_lines_max), bytes_(query.looked_bytes_max) {}
  bool IsReached() const { return lines_ <= 0 || bytes_ <= 0; }
  void Count(size_t bytes) {
    --lines_;
    bytes_ -= static_cast<int64_t>(bytes);
  }

 private:
  int32_t lines_;
  int64_t bytes_;
};

LogLine ReadableLine(absl::string_view key, absl::string_view value) {
  absl::StatusOr<LogLine> line = DecodeLogLine(value);
  if (!line.ok()) {
    line = LogLine{};
    line->stream = LineStream::kAgent;
    line->text = "(a line that cannot be read from the store any more)";
  }
  line->cursor = CursorOfLineKey(key);
  return *std::move(line);
}

}  // namespace

absl::Status KeyedJobStore::PutLines(const LineWrite& write) {
  const std::string& job_id = write.sender.ref.job_id;
  WriteSet writes;
  for (const EventLine& line : write.events) {
    writes.Put(kEvents, LineKey(job_id, line.cursor), EncodeEventLine(line));
  }
  for (const LogLine& line : write.logs) {
    writes.Put(kLogs, LineKey(job_id, line.cursor), EncodeLogLine(line));
  }
  if (write.stock) writes.Put(kMeta, StockKey(job_id), EncodeLogStock(*write.stock));
  writes.Put(kPositions, PositionKey(write.sender), EncodePosition(write.position));
  if (write.job != nullptr) {
    PutJobInto(*write.job, &writes);
  } else if (write.revision > 0) {
    writes.Put(kMeta, kRevisionKey, absl::StrCat(write.revision));
  }
  const int64_t free_bytes_min = write.logs.empty() ? reserve_bytes_ / 4 : 2 * reserve_bytes_;
  const absl::Status written = values_->WriteAbove(free_bytes_min, writes, /*sync=*/false);
  if (!written.ok() && write.job != nullptr) Doubt({.jobs = {job_id}});
  return written;
}

absl::Status KeyedJobStore::Sync() {
  // The log is written in order, so one synced record makes all before it durable.
  WriteSet writes;
  writes.Put(kMeta, kSyncKey, "");
  return values_->WriteIntoReserve(writes);
}

absl::StatusOr<SenderPosition> KeyedJobStore::PositionOf(const Sender& sender) {
  FPO_ASSIGN_OR_RETURN(std::optional<std::string> bytes,
                       values_->Get(kPositions, PositionKey(sender)));
  if (!bytes) return SenderPosition{};
  return DecodePosition(*bytes);
}

absl::StatusOr<uint64_t> KeyedJobStore::LastCursor(int family, const std::string& job_id) {
  const std::string prefix = LinePrefix(job_id);
  FPO_ASSIGN_OR_RETURN(auto last, values_->Last(family, PrefixEnd(prefix)));
  if (!last || last->first.compare(0, prefix.size(), prefix) != 0) return uint64_t{0};
  return CursorOfLineKey(last->first);
}

absl::StatusOr<uint64_t> KeyedJobStore::LastEventCursor(const std::string& job_id) {
  return LastCursor(kEvents, job_id);
}

absl::StatusOr<uint64_t> KeyedJobStore::LastLogCursor(const std::string& job_id) {
  return LastCursor(kLogs, job_id);
}

absl::StatusOr<LogPage> KeyedJobStore::ReadLogs(const std::string& job_id, const LogQuery& query) {
  LogPage page{.lines = {}, .after = query.after, .at_end = true};
  LookLimit limit(query);
  size_t bytes = 0;
  auto visit = [&](absl::string_view key, absl::string_view value) {
    if (page.lines.size() >= static_cast<size_t>(query.lines_max) || limit.IsReached()) {
      page.at_end = false;
      return false;
    }
    limit.Count(value.size());
    const LogLine line = ReadableLine(key, value);
    if (Matches(query, line)) {
      bytes += line.text.size();
      if (!page.lines.empty() && bytes > static_cast<size_t>(query.bytes_max)) {
        page.at_end = false;
        return false;
      }
      page.lines.push_back(line);
    }
    page.after = line.cursor;
    return true;
  };
  FPO_RETURN_IF_ERROR(
      values_->Scan(kLogs, LineKey(job_id, query.after + 1), PrefixEnd(LinePrefix(job_id)), visit));
  return page;
}

absl::StatusOr<LogTail> KeyedJobStore::FindTail(const std::string& job_id, const LogQuery& query,
                                                LogTail tail) {
  const std::string prefix = LinePrefix(job_id);
  LookLimit limit(query);
  bool stopped = false;
  auto visit = [&](absl::string_view key, absl::string_view value) {
    stopped = true;
    if (limit.IsReached()) return false;
    limit.Count(value.size());
    const LogLine line = ReadableLine(key, value);
    const uint64_t cursor = line.cursor;
    if (Matches(query, line) && tail.lines_left-- == 0) {
      tail.found = true;
      tail.after = cursor;
      return false;
    }
    tail.before = cursor;
    stopped = false;
    return true;
  };
  const std::string end = tail.before == 0 ? PrefixEnd(prefix) : LineKey(job_id, tail.before);
  FPO_RETURN_IF_ERROR(values_->ScanBack(kLogs, prefix, end, visit));
  if (!stopped) tail.found = true;  // all of the log
  return tail;
}

absl::StatusOr<std::vector<EventLine>> KeyedJobStore::ReadEvents(const std::string& job_id,
                                                                 uint64_t after, int32_t limit) {
  std::vector<EventLine> lines;
  auto visit = [&](absl::string_view key, absl::string_view value) {
    absl::StatusOr<EventLine> line = DecodeEventLine(value);
    if (!line.ok()) {
      SayDamaged(*values_, key, line.status());
      return true;
    }
    line->cursor = CursorOfLineKey(key);
    lines.push_back(*std::move(line));
    return lines.size() < static_cast<size_t>(limit);
  };
  FPO_RETURN_IF_ERROR(
      values_->Scan(kEvents, LineKey(job_id, after + 1), PrefixEnd(LinePrefix(job_id)), visit));
  return lines;
}

absl::StatusOr<std::map<std::string, LogStock>> KeyedJobStore::LoadLogStocks() {
  std::map<std::string, LogStock> stocks;
  const auto visit = [&](absl::string_view key, absl::string_view value) {
    const absl::StatusOr<LogStock> stock = DecodeLogStock(value);
    if (!stock.ok()) {
      SayDamaged(*values_, key, stock.status());
      return true;
    }
    stocks[std::string(key.substr(sizeof(kStockPrefix) - 1))] = *stock;
    return true;
  };
  FPO_RETURN_IF_ERROR(values_->Scan(kMeta, kStockPrefix, PrefixEnd(kStockPrefix), visit));
  return stocks;
}

absl::Status KeyedJobStore::PutLogStock(const std::string& job_id, const LogStock& stock) {
  WriteSet writes;
  writes.Put(kMeta, StockKey(job_id), EncodeLogStock(stock));
  return values_->WriteIntoReserve(writes, /*sync=*/false);
}

absl::Status KeyedJobStore::ReplaceLogs(const std::string& job_id, const LogLine& gap,
                                        const LogStock& stock) {
  WriteSet writes;
  writes.DeleteRange(kLogs, LineKey(job_id, 0), LineKey(job_id, gap.cursor + 1));
  writes.Put(kLogs, LineKey(job_id, gap.cursor), EncodeLogLine(gap));
  writes.Put(kMeta, StockKey(job_id), EncodeLogStock(stock));
  removed_lines_ = true;
  return values_->WriteIntoReserve(writes, /*sync=*/false);
}

absl::Status KeyedJobStore::DropEventsBefore(const std::string& job_id, uint64_t cursor) {
  WriteSet writes;
  writes.DeleteRange(kEvents, LineKey(job_id, 0), LineKey(job_id, cursor));
  removed_lines_ = true;
  return values_->WriteIntoReserve(writes, /*sync=*/false);
}

absl::Status KeyedJobStore::PutAudit(const AuditEntry& entry) {
  WriteSet writes;
  writes.Put(kMeta, LineKey(kAuditJob, entry.cursor), EncodeAuditEntry(entry));
  return values_->WriteAbove(reserve_bytes_ / 4, writes, /*sync=*/false);
}

absl::Status KeyedJobStore::DropAuditBefore(uint64_t cursor) {
  WriteSet writes;
  writes.DeleteRange(kMeta, LineKey(kAuditJob, 0), LineKey(kAuditJob, cursor));
  return values_->WriteIntoReserve(writes, /*sync=*/false);
}

absl::StatusOr<std::vector<AuditEntry>> KeyedJobStore::ReadAudit(uint64_t before, int32_t limit) {
  std::vector<AuditEntry> entries;
  const std::string prefix = LinePrefix(kAuditJob);
  std::string end = before == 0 ? PrefixEnd(prefix) : LineKey(kAuditJob, before);
  while (entries.size() < static_cast<size_t>(limit)) {
    FPO_ASSIGN_OR_RETURN(auto last, values_->Last(kMeta, end));
    if (!last || last->first.compare(0, prefix.size(), prefix) != 0) break;
    end = last->first;
    absl::StatusOr<AuditEntry> entry = DecodeAuditEntry(last->second);
    if (!entry.ok()) {
      SayDamaged(*values_, end, entry.status());
      continue;
    }
    entry->cursor = CursorOfLineKey(end);
    entries.push_back(*std::move(entry));
  }
  return entries;
}

}  // namespace fpo::coordinator

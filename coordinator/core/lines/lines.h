#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/values/line.h"
#include "coordinator/core/jobs/job.h"

// Log and event lines of jobs, as stored and as queried.
namespace fpo::coordinator {

// A log line; cursors grow within a job, from 1.
struct LogLine {
  uint64_t cursor = 0;
  int32_t attempt = 0;
  int32_t rank = 0;
  LineStream stream = LineStream::kStdout;
  int64_t time_unix_ms = 0;
  std::string text = {};

  bool operator==(const LogLine&) const = default;
};

// Totals of a job's stored logs, and of those removed.
struct LogStock {
  int64_t bytes = 0;           // of the lines that are stored, without the gap line
  int64_t oldest_unix_ms = 0;  // time of the first of them; 0: none, or unknown
  uint64_t gap_cursor = 0;     // of the gap line; 0: none
  int64_t gap_lines = 0;
  int64_t gap_bytes = 0;  // of text

  bool operator==(const LogStock&) const = default;
};

// An event line as fpo-train wrote it.
struct EventLine {
  uint64_t cursor = 0;
  int32_t attempt = 0;
  int32_t rank = 0;
  std::string json = {};

  bool operator==(const EventLine&) const = default;
};

// How far the lines of one sender (a worker in an attempt) are stored.
struct SenderPosition {
  uint64_t next_event_seq = 0;  // lines below it are stored
  uint64_t next_log_seq = 0;

  bool operator==(const SenderPosition&) const = default;
};
struct Sender {
  AttemptRef ref;
  std::string worker;

  auto operator<=>(const Sender&) const = default;
};

// Lines of one batch, its sender's position after it, and the job as changed by them: one atomic
// group. Cursors are already assigned.
struct LineWrite {
  Sender sender;
  SenderPosition position;
  std::vector<EventLine> events;
  std::vector<LogLine> logs;
  std::optional<LogStock> stock = std::nullopt;  // with these logs
  const Job* job = nullptr;                      // not owned; null: unchanged
  uint64_t revision = 0;                         // of the store with this; that of the job, if any
};

struct LogQuery {
  uint64_t after = 0;   // cursor of the last line seen
  int32_t attempt = 0;  // 0: all
  std::optional<int32_t> rank = std::nullopt;
  int64_t since_unix_ms = 0;  // only lines not older
  int32_t lines_max = 1000;
  int32_t bytes_max = 1 << 20;  // of text; at least one line is returned
  // What one read looks at, matching or not: some ten milliseconds. A caller goes on behind it.
  int32_t looked_lines_max = 10'000;
  int64_t looked_bytes_max = 4 << 20;
};

// What one read found. A page without lines is not the end unless `at_end`.
struct LogPage {
  std::vector<LogLine> lines;
  uint64_t after = 0;   // cursor of the last line looked at; the query's own when there was none
  bool at_end = false;  // nothing is stored behind it
};

// Where the last `lines_left` lines that match begin, as far as it was looked for: backwards, in
// bounded steps.
struct LogTail {
  int32_t lines_left = 0;  // to be found before `before`
  uint64_t before = 0;     // every line from here on was looked at; 0: none yet
  bool found = false;      // then the lines are those after `after`
  uint64_t after = 0;
};

inline bool Matches(const LogQuery& query, const LogLine& line) {
  if (line.stream == LineStream::kGap) {  // of all ranks
    return query.attempt <= line.attempt && line.time_unix_ms >= query.since_unix_ms;
  }
  return (query.attempt == 0 || query.attempt == line.attempt) &&
         (!query.rank || *query.rank == line.rank) && line.time_unix_ms >= query.since_unix_ms;
}

}  // namespace fpo::coordinator

#include "worker/core/outbox/log_spool.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "worker/core/outbox/line_journal.h"

namespace fpo::worker {
namespace {

constexpr size_t kLineOverheadBytes = 48;  // of a short line in memory or in a file

size_t SizeOf(const Line& line) { return line.text.size() + kLineOverheadBytes; }

template <typename Lines>
SpoolRead Cut(const Lines& lines, uint64_t lines_first_seq, uint64_t seq, size_t bytes_max) {
  SpoolRead batch;
  batch.first_seq = seq;
  size_t bytes = 0;
  for (size_t i = seq - lines_first_seq; i < lines.size(); ++i) {
    bytes += SizeOf(lines[i]);
    if (bytes > bytes_max && !batch.lines.empty()) break;
    batch.lines.push_back(lines[i]);
  }
  batch.next_seq = seq + batch.lines.size();
  return batch;
}

}  // namespace

LogSpool::~LogSpool() {
  for (const Segment& segment : segments_) {
    if (!segment.path.empty()) unlink(segment.path.c_str());
  }
}

void LogSpool::Append(Line line) {
  const size_t size = SizeOf(line);
  ++end_seq_;
  if (segments_.empty() && tail_.empty() && head_bytes_ + size <= options_.memory_bytes_max) {
    head_bytes_ += size;
    head_.push_back(std::move(line));
    return;
  }
  tail_bytes_ += size;
  tail_.push_back(std::move(line));
  if (tail_bytes_ >= options_.segment_bytes) FlushTail();
}

void LogSpool::FlushTail() {
  Segment segment;
  segment.first_seq = end_seq_ - tail_.size();
  segment.end_seq = end_seq_;
  segment.bytes = tail_bytes_;
  segment.path = absl::StrCat(options_.folder, "/", options_.name, "-", segment.first_seq);
  std::string bytes;
  for (const Line& line : tail_) AppendEncoded(line, &bytes);
  std::error_code error;
  std::filesystem::create_directories(options_.folder, error);
  const absl::Status written = WriteFileAtomically(segment.path, bytes);
  tail_.clear();
  tail_bytes_ = 0;
  segment_bytes_ += segment.bytes;
  segments_.push_back(std::move(segment));
  if (!written.ok()) {
    MakeGap(segments_.size() - 1, std::string(written.message()));
  } else if (this->bytes() > options_.total_bytes_max) {
    DropOldestUnread();
  }
}

void LogSpool::DropOldestUnread() {
  const auto oldest = std::find_if(segments_.begin(), segments_.end(), [&](const Segment& segment) {
    return !segment.path.empty() && segment.first_seq >= read_seq_;
  });
  // Everything on disk was sent and awaits its acknowledgement, so the newest lines are dropped.
  const size_t index = oldest == segments_.end() ? segments_.size() - 1
                                                 : static_cast<size_t>(oldest - segments_.begin());
  MakeGap(index,
          absl::StrCat("the spool is over its limit of ", options_.total_bytes_max, " bytes"));
}

void LogSpool::MakeGap(size_t index, const std::string& why) {
  Segment& segment = segments_[index];
  unlink(segment.path.c_str());
  if (loaded_path_ == segment.path) loaded_path_.clear();
  segment.path.clear();
  segment.why = why;
  segment_bytes_ -= segment.bytes;
  gap_bytes_ += segment.bytes;
  if (index == 0) return;
  Segment& before = segments_[index - 1];
  if (!before.path.empty() || before.first_seq < read_seq_) return;
  before.end_seq = segment.end_seq;
  before.bytes += segment.bytes;
  segments_.erase(segments_.begin() + static_cast<std::ptrdiff_t>(index));
}

const std::vector<Line>& LogSpool::Load(const Segment& segment) {
  if (loaded_path_ == segment.path) return loaded_;
  loaded_path_ = segment.path;
  const int64_t limit = std::max<int64_t>(1 << 30, static_cast<int64_t>(segment.bytes) * 2);
  const absl::StatusOr<std::string> bytes = ReadFile(segment.path, limit);
  loaded_ = bytes.ok() ? DecodeLines(*bytes) : std::vector<Line>();
  return loaded_;
}

SpoolRead LogSpool::ReadSegment(Segment* segment, uint64_t seq, size_t bytes_max) {
  if (!segment->path.empty()) {
    const std::vector<Line>& lines = Load(*segment);
    if (seq - segment->first_seq < lines.size()) {
      return Cut(lines, segment->first_seq, seq, bytes_max);
    }
    segment_bytes_ -= segment->bytes;
    unlink(segment->path.c_str());
    segment->path.clear();
    segment->first_seq = seq;
    segment->why = "their spool file cannot be read";
  }
  SpoolRead batch;
  batch.first_seq = seq;
  batch.next_seq = segment->end_seq;
  Line gap{.rank = 0, .stream = LineStream::kAgent, .time_unix_ms = 0, .text = ""};
  gap.text = absl::StrCat("gap: ", segment->end_seq - seq, " lines (", segment->bytes,
                          " bytes) were dropped: ", segment->why);
  batch.lines.push_back(std::move(gap));
  return batch;
}

SpoolRead LogSpool::Read(uint64_t seq, size_t bytes_max) {
  seq = std::max(seq, first_seq_);
  SpoolRead batch;
  batch.first_seq = batch.next_seq = seq;
  const uint64_t head_end = first_seq_ + head_.size();
  const uint64_t tail_first = end_seq_ - tail_.size();
  if (seq >= end_seq_) return batch;
  if (seq >= tail_first) {
    batch = Cut(tail_, tail_first, seq, bytes_max);
  } else if (!head_.empty() && seq < head_end) {
    batch = Cut(head_, first_seq_, seq, bytes_max);
  } else {
    for (Segment& segment : segments_) {
      if (seq >= segment.end_seq) continue;
      batch = ReadSegment(&segment, std::max(seq, segment.first_seq), bytes_max);
      break;
    }
  }
  read_seq_ = std::max(read_seq_, batch.next_seq);
  return batch;
}

void LogSpool::Acknowledge(uint64_t seq) {
  while (!head_.empty() && first_seq_ <= seq) {
    head_bytes_ -= SizeOf(head_.front());
    head_.pop_front();
    ++first_seq_;
  }
  if (!head_.empty()) return;
  while (!segments_.empty() && segments_.front().last_seq() <= seq) {
    if (!segments_.front().path.empty()) {
      unlink(segments_.front().path.c_str());
      segment_bytes_ -= segments_.front().bytes;
    }
    first_seq_ = segments_.front().end_seq;
    segments_.pop_front();
  }
  if (!segments_.empty()) {
    first_seq_ = std::max(first_seq_, std::min(seq + 1, segments_.front().last_seq()));
    return;
  }
  uint64_t tail_first = end_seq_ - tail_.size();
  while (!tail_.empty() && tail_first <= seq) {
    tail_bytes_ -= SizeOf(tail_.front());
    tail_.pop_front();
    ++tail_first;
  }
  first_seq_ = tail_first;
}

}  // namespace fpo::worker

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "common/values/line.h"

namespace fpo::worker {

// Lines numbered from `first_seq` in steps of one. `next_seq` is where to continue reading: greater
// than the end of `lines` when a gap replaces dropped lines.
struct SpoolRead {
  uint64_t first_seq = 0;
  uint64_t next_seq = 0;
  std::vector<Line> lines;
};

// Numbered lines (logs or events) of one attempt until the coordinator has stored them. The oldest
// stay in memory; while the coordinator is away newer ones go to segment files. Over the limit the
// oldest unread lines become one gap line that says so. Not thread-safe.
class LogSpool {
 public:
  struct Options {
    std::string folder;                 // segment files; made when needed
    std::string name = "log";           // their prefix
    size_t memory_bytes_max = 4 << 20;  // oldest lines
    size_t segment_bytes = 4 << 20;     // newest lines, written together
    size_t total_bytes_max = 256 << 20;
    uint64_t first_seq = 1;  // of the first line appended
  };

  explicit LogSpool(Options options)
      : options_(std::move(options)),
        first_seq_(options_.first_seq),
        end_seq_(options_.first_seq),
        read_seq_(options_.first_seq) {}
  ~LogSpool();  // removes its files

  void Append(Line line);
  // Lines from `seq` on, at most `bytes_max` of text but at least one; empty at the end.
  SpoolRead Read(uint64_t seq, size_t bytes_max);
  // Forgets lines up to and including `seq`.
  void Acknowledge(uint64_t seq);

  uint64_t first_seq() const { return first_seq_; }  // oldest kept
  uint64_t end_seq() const { return end_seq_; }      // of the next line
  bool empty() const { return first_seq_ == end_seq_; }
  size_t bytes() const { return head_bytes_ + tail_bytes_ + segment_bytes_; }
  size_t gap_bytes() const { return gap_bytes_; }  // dropped so far

 private:
  struct Segment {
    std::string path;  // empty: a gap
    uint64_t first_seq = 0;
    uint64_t end_seq = 0;
    size_t bytes = 0;
    std::string why;  // of a gap

    // The number that acknowledges all of it; for a gap, that of its one line.
    uint64_t last_seq() const { return path.empty() ? first_seq : end_seq - 1; }
  };

  void FlushTail();
  void MakeGap(size_t index, const std::string& why);
  void DropOldestUnread();
  const std::vector<Line>& Load(const Segment& segment);
  SpoolRead ReadSegment(Segment* segment, uint64_t seq, size_t bytes_max);

  const Options options_;
  std::deque<Line> head_;         // [first_seq_, ...), before all segments
  std::deque<Segment> segments_;  // in order
  std::deque<Line> tail_;         // [..., end_seq_), after all segments
  uint64_t first_seq_;
  uint64_t end_seq_;
  uint64_t read_seq_;  // everything below was read at least once
  size_t head_bytes_ = 0;
  size_t tail_bytes_ = 0;
  size_t segment_bytes_ = 0;
  size_t gap_bytes_ = 0;
  std::string loaded_path_;
  std::vector<Line> loaded_;  // lines of loaded_path_
};

}  // namespace fpo::worker

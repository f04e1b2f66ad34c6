#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/files/file_descriptor.h"
#include "worker/core/coordinator_link.h"

namespace fpo::worker {

// A line as stored in files: "rank stream time bytes
// " and the text, whose length makes any text safe.
void AppendEncoded(const Line& line, std::string* out);
// Stops at the first incomplete line.
std::vector<Line> DecodeLines(absl::string_view bytes);

// Numbered lines of one attempt in files that outlive this process: each line is written, not
// synced, before Append returns, so that a killed agent loses none and a power cut loses at most
// the last second. It is a second copy, so a disk that takes no lines ends nothing: they are left
// out, a write is tried again after a second, and Recover counts them. Not thread-safe.
class LineJournal {
 public:
  struct Options {
    std::string folder;             // made when needed
    std::string name = "log";       // prefix of the files
    size_t file_bytes = 1 << 20;    // then a new file begins
    size_t bytes_max = 256 << 20;   // beyond this the oldest file is removed
    size_t keep_bytes = 256 << 10;  // a fully acknowledged file may stay up to this size
  };
  explicit LineJournal(Options options) : options_(std::move(options)) {}

  void Append(uint64_t seq, const Line& line);
  // Lines up to and including `seq` are stored elsewhere.
  void Acknowledge(uint64_t seq);
  void Remove();  // all files

  struct Recovered {
    uint64_t first_seq = 1;
    std::vector<Line> lines;  // in steps of one from first_seq
    uint64_t lost = 0;        // lines after them, which are not all there
  };
  // What an earlier process left under these options, up to the first gap. Takes over the files:
  // Acknowledge and Remove apply to them.
  Recovered Recover();

 private:
  struct File {
    std::string path;
    uint64_t first_seq = 0;
    uint64_t end_seq = 0;
    size_t bytes = 0;
  };
  bool Open(uint64_t seq);
  void OnFailure();
  void Drop(size_t count);  // the oldest

  const Options options_;
  std::deque<File> files_;  // in order; the last one is written to while `out_` is open
  FileDescriptor out_;
  absl::Time retry_at_ = absl::InfinitePast();  // after an error of the disk
};

}  // namespace fpo::worker

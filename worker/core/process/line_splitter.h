#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"

namespace fpo::worker {

inline constexpr size_t kLineBytesMax = 64 << 10;

// Cuts a byte stream into lines without their newlines. A line longer than `line_bytes_max` comes
// in parts, all but the last with `continues` true; memory stays within one line. Not thread-safe.
class LineSplitter {
 public:
  using Sink = std::function<void(std::string line, bool continues)>;

  explicit LineSplitter(size_t line_bytes_max = kLineBytesMax) : line_bytes_max_(line_bytes_max) {}

  void Feed(absl::string_view bytes, const Sink& sink);
  void Finish(const Sink& sink);  // the rest, when the stream ends without a newline

 private:
  const size_t line_bytes_max_;
  std::string rest_;
};

}  // namespace fpo::worker

#include "worker/core/process/line_splitter.h"

#include <algorithm>
#include <utility>

namespace fpo::worker {

void LineSplitter::Feed(absl::string_view bytes, const Sink& sink) {
  while (!bytes.empty()) {
    const size_t newline = bytes.find('\n');
    const size_t room = line_bytes_max_ - rest_.size();
    const size_t line_end = std::min(newline, bytes.size());
    if (line_end > room) {
      rest_.append(bytes.data(), room);
      bytes.remove_prefix(room);
      sink(std::exchange(rest_, {}), /*continues=*/true);
      continue;
    }
    rest_.append(bytes.data(), line_end);
    if (newline == absl::string_view::npos) return;
    bytes.remove_prefix(newline + 1);
    sink(std::exchange(rest_, {}), /*continues=*/false);
  }
}

void LineSplitter::Finish(const Sink& sink) {
  if (!rest_.empty()) sink(std::exchange(rest_, {}), /*continues=*/false);
}

}  // namespace fpo::worker

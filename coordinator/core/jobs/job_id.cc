#include "coordinator/core/jobs/job_id.h"

#include <algorithm>

#include "absl/strings/string_view.h"

namespace fpo::coordinator {
namespace {

// Crockford's alphabet in lower case: no i, l, o, u to misread.
constexpr absl::string_view kDigits = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr absl::string_view kPrefix = "j-";
constexpr int kLength = 8;                           // 40 bits of milliseconds: 34 years
constexpr int64_t kEpochUnixMs = 1'735'689'600'000;  // 2025-01-01T00:00:00Z

}  // namespace

void JobIdSource::Saw(const std::string& job_id) {
  if (job_id.size() != kPrefix.size() + kLength) return;
  int64_t number = 0;
  for (char c : job_id.substr(kPrefix.size())) {
    const size_t digit = kDigits.find(c);
    if (digit == absl::string_view::npos) return;
    number = number << 5 | static_cast<int64_t>(digit);
  }
  last_ = std::max(last_, number);
}

std::string JobIdSource::Next(absl::Time wall) {
  last_ = std::max({last_ + 1, absl::ToUnixMillis(wall) - kEpochUnixMs, int64_t{0}});
  std::string id(kPrefix);
  for (int shift = 5 * (kLength - 1); shift >= 0; shift -= 5) id += kDigits[last_ >> shift & 31];
  return id;
}

}  // namespace fpo::coordinator

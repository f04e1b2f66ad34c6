#include "common/text/duration_text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace fpo {
namespace {

constexpr int64_t kDaysMax = 36'500;

// Takes "30d" off the front of "30d" or "30d12h". False: too many days.
bool TakeDays(absl::string_view* text, absl::Duration* days) {
  const size_t end = text->find('d');
  if (end == absl::string_view::npos) return true;
  int64_t count = 0;
  const absl::string_view digits = text->substr(0, end);
  const bool whole = std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit);
  if (!whole || !absl::SimpleAtoi(digits, &count) || count > kDaysMax) return false;
  *days = absl::Hours(24) * count;
  text->remove_prefix(end + 1);
  return true;
}

}  // namespace

absl::StatusOr<absl::Duration> ParseDurationText(absl::string_view text) {
  absl::string_view rest = text;
  absl::Duration days, clock;
  const bool plain = TakeDays(&rest, &days) && ((rest.empty() && rest.size() < text.size()) ||
                                                absl::ParseDuration(rest, &clock));
  if (plain && clock >= absl::ZeroDuration() && clock <= absl::Hours(24) * kDaysMax) {
    return days + clock;
  }
  const bool is_number =
      !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is not a duration like 200ms, 90s, 1h30m or 30d",
                   is_number ? absl::StrCat("; did you mean ", text, "s?") : ""));
}

absl::Status CheckDurationFlag(absl::string_view flag, absl::Duration value,
                               const DurationRange& allowed) {
  if (value >= allowed.least && value <= allowed.most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(flag, " is ", absl::FormatDuration(value),
                                                 ", allowed: ", absl::FormatDuration(allowed.least),
                                                 " to ", absl::FormatDuration(allowed.most)));
}

}  // namespace fpo

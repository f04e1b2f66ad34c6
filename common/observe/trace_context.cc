#include "common/observe/trace_context.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace fpo {
namespace {

// Capitals are not allowed.
bool IsHex(absl::string_view text, size_t digits) {
  const auto is_digit = [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); };
  return text.size() == digits && std::all_of(text.begin(), text.end(), is_digit);
}

bool IsId(absl::string_view text, size_t digits) {
  return IsHex(text, digits) && text.find_first_not_of('0') != absl::string_view::npos;
}

}  // namespace

std::optional<TraceContext> ParseTraceparent(absl::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '-');
  if (parts.size() < 4 || !IsHex(parts[0], 2) || parts[0] == "ff") return std::nullopt;
  if (parts[0] == "00" && parts.size() != 4) return std::nullopt;  // a later version may say more
  if (!IsId(parts[1], 32) || !IsId(parts[2], 16) || !IsHex(parts[3], 2)) return std::nullopt;
  const char last = parts[3][1];
  const int low = last <= '9' ? last - '0' : last - 'a' + 10;
  return TraceContext{parts[1], parts[2], (low & 1) != 0};
}

std::string Traceparent(const TraceContext& context) {
  return absl::StrCat("00-", context.trace_id, "-", context.span_id,
                      context.sampled ? "-01" : "-00");
}

}  // namespace fpo

#include "ctl/show/human.h"

#include <cmath>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace fpo::ctl {

std::string HumanCount(int64_t count) {
  std::string digits = absl::StrCat(count < 0 ? -count : count);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(at, 1, ',');
  return count < 0 ? absl::StrCat("-", digits) : digits;
}

std::string HumanBytes(double bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  int unit = 0;
  while (bytes >= 1024 && unit < 5) {
    bytes /= 1024;
    ++unit;
  }
  const bool whole = unit == 0 || bytes >= 100;
  return whole ? absl::StrFormat("%.0f %s", bytes, kUnits[unit])
               : absl::StrFormat("%.1f %s", bytes, kUnits[unit]);
}

std::string HumanFlops(double operations) {
  const char* const units[] = {"FLOP",  "kFLOP", "MFLOP", "GFLOP",
                               "TFLOP", "PFLOP", "EFLOP", "ZFLOP"};
  size_t unit = 0;
  while (operations >= 999.95 && unit + 1 < std::size(units)) {
    operations /= 1000;
    ++unit;
  }
  return absl::StrFormat("%.*f %s", operations < 10 ? 1 : 0, operations, units[unit]);
}

std::string HumanDuration(absl::Duration duration) {
  if (duration < absl::ZeroDuration()) duration = absl::ZeroDuration();
  if (duration == absl::InfiniteDuration()) return "-";
  if (duration < absl::Seconds(9.95)) {
    return absl::StrFormat("%.1fs", absl::ToDoubleSeconds(duration));
  }
  const int64_t seconds = absl::ToInt64Seconds(duration + absl::Milliseconds(500));
  if (seconds < 60) return absl::StrFormat("%ds", seconds);
  if (seconds < 3600) return absl::StrFormat("%dm%02ds", seconds / 60, seconds % 60);
  if (seconds < 86400) return absl::StrFormat("%dh%02dm", seconds / 3600, seconds / 60 % 60);
  return absl::StrFormat("%dd%dh", seconds / 86400, seconds / 3600 % 24);
}

std::string HumanDuration(const std::optional<absl::Duration>& duration) {
  return duration ? HumanDuration(*duration) : "-";
}

std::string HumanNumber(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  const double magnitude = std::fabs(value);
  if (magnitude != 0 && (magnitude < 1e-3 || magnitude >= 1e6)) {
    return absl::StrFormat("%.1e", value);
  }
  if (magnitude < 10) return absl::StrFormat("%.4f", value);
  if (magnitude < 100) return absl::StrFormat("%.2f", value);
  return absl::StrFormat("%.1f", value);
}

std::string HumanNumber(const std::optional<double>& value) {
  return value ? HumanNumber(*value) : "-";
}

std::string HumanPercent(int64_t part, int64_t whole) {
  if (whole <= 0) return "-";
  int64_t percent = std::llround(100.0 * static_cast<double>(part) / static_cast<double>(whole));
  if (percent >= 100 && part < whole) percent = 99;
  if (percent <= 0 && part > 0) return "<1 %";
  return absl::StrCat(percent, " %");
}

std::string LocalTime(const std::optional<absl::Time>& time, absl::TimeZone zone) {
  return time ? absl::FormatTime("%Y-%m-%d %H:%M:%S", *time, zone) : "-";
}

}  // namespace fpo::ctl

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace fpo::ctl {

// Values as people read them. Missing ones are "-".

std::string HumanCount(int64_t count);               // 1204 -> "1,204"
std::string HumanBytes(double bytes);                // 1536 -> "1.5 KiB"
std::string HumanFlops(double operations);           // 3.2e15 -> "3.2 PFLOP"
std::string HumanDuration(absl::Duration duration);  // "0.4s" "12s" "3m12s" "2h05m" "3d4h"
std::string HumanDuration(const std::optional<absl::Duration>& duration);
// Four significant digits: "0.6321", "12.35", "1.2e-05"; "nan", "inf".
std::string HumanNumber(double value);
std::string HumanNumber(const std::optional<double>& value);
// "100 %", never rounded up to 100 nor down to 0 when it is not.
std::string HumanPercent(int64_t part, int64_t whole);
std::string LocalTime(const std::optional<absl::Time>& time,
                      absl::TimeZone zone);  // "2025-01-31 14:03:11"

}  // namespace fpo::ctl

#include "common/observe/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <system_error>

namespace fpo {
namespace {

// The folder is itself open while it is read.
std::optional<double> OpenDescriptors() {
  std::error_code error;
  const std::filesystem::directory_iterator entries("/proc/self/fd", error);
  if (error) return std::nullopt;
  return static_cast<double>(std::distance(begin(entries), end(entries)) - 1);
}

std::optional<double> DescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return static_cast<double>(limit.rlim_cur);
}

std::optional<double> ResidentBytes() {
  std::ifstream pages("/proc/self/statm");
  double size = 0;
  double resident = 0;
  if (!(pages >> size >> resident)) return std::nullopt;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

struct ProcessNumber {
  const char* name;
  const char* help;
  std::optional<double> (*read)();
};

constexpr ProcessNumber kNumbers[] = {
    {"process_open_fds", "Open file descriptors.", OpenDescriptors},
    {"process_max_fds", "How many file descriptors may be open.", DescriptorLimit},
    {"process_resident_memory_bytes", "Memory of the process in RAM.", ResidentBytes},
};

}  // namespace

void ShowProcess(MetricsRegistry* registry) {
  for (const ProcessNumber& number : kNumbers) {
    registry->DeclareGauge(number.name, number.help);
    if (!number.read().has_value()) continue;
    const Gauge gauge = registry->AddGauge(number.name, number.help);
    registry->OnScrape([gauge, read = number.read] {
      if (const auto value = read()) gauge.Set(*value);
    });
  }
}

}  // namespace fpo

#include "worker/core/host/host_memory.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace fpo::worker {
namespace {

int64_t TotalBytes(const std::string& root) {
  std::ifstream file(root + "/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    int64_t kib = 0;
    if (words >> name >> kib && name == "MemTotal:") return kib * 1024;
  }
  return 0;
}

}  // namespace

int64_t HostMemoryBytes(const std::string& root) {
  int64_t bytes = TotalBytes(root);
  std::ifstream own(root + "/proc/self/cgroup");
  std::string line;
  if (bytes == 0 || !std::getline(own, line) || !absl::StartsWith(line, "0::")) return bytes;
  for (std::string group = line.substr(3);; group.erase(group.rfind('/'))) {
    std::ifstream file(absl::StrCat(root, "/sys/fs/cgroup", group, "/memory.max"));
    std::string word;
    int64_t limit = 0;
    if (file >> word && absl::SimpleAtoi(word, &limit) && limit > 0) bytes = std::min(bytes, limit);
    if (group.find('/') == std::string::npos) return bytes;
  }
}

}  // namespace fpo::worker

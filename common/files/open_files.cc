#include "common/files/open_files.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace fpo {
namespace {

constexpr int64_t kPlenty = 65536;  // tables of 128 MiB: 8 TiB
constexpr int64_t kFewest = 20;     // RocksDB takes no less
constexpr int64_t kOwn = 128;       // logs, files being written, threads' wake-ups
constexpr int64_t kConnectionsPlenty = 16384;

}  // namespace

int64_t RaiseOpenFilesLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kPlenty;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  const bool raised = before == limit.rlim_max || setrlimit(RLIMIT_NOFILE, &limit) == 0;
  const rlim_t now = raised ? limit.rlim_max : before;
  const auto most = static_cast<rlim_t>(std::numeric_limits<int64_t>::max());
  return static_cast<int64_t>(std::min(now, most));
}

int MaxOpenTables(int64_t limit) {
  if (limit >= kPlenty) return -1;
  return static_cast<int>(std::max(limit / 2, kFewest));
}

int MaxConnections(int64_t limit) {
  return static_cast<int>(std::min(std::max(limit / 2 - kOwn, limit / 4), kConnectionsPlenty));
}

}  // namespace fpo

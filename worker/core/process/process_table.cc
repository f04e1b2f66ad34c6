#include "worker/core/process/process_table.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace fpo::worker {
namespace {

std::string ReadProc(pid_t pid, absl::string_view name) {
  std::ifstream in(absl::StrCat("/proc/", pid, "/", name), std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

struct Stat {
  char state = 'X';
  pid_t group = 0;
  uint64_t start_time = 0;
};

// The command name in parentheses may contain anything, so fields are counted from its end.
std::optional<Stat> ReadStat(pid_t pid) {
  const std::string text = ReadProc(pid, "stat");
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 2 > text.size()) return std::nullopt;
  const std::vector<std::string> fields = absl::StrSplit(text.substr(name_end + 2), ' ');
  constexpr size_t kState = 0, kGroup = 2, kStartTime = 19;
  Stat stat;
  if (fields.size() <= kStartTime || fields[kState].size() != 1 ||
      !absl::SimpleAtoi(fields[kGroup], &stat.group) ||
      !absl::SimpleAtoi(fields[kStartTime], &stat.start_time)) {
    return std::nullopt;
  }
  stat.state = fields[kState][0];
  return stat;
}

bool HasEnvironment(pid_t pid, const std::vector<std::string>& wanted) {
  if (wanted.empty()) return false;
  const std::string text = absl::StrCat(absl::string_view("\0", 1), ReadProc(pid, "environ"));
  for (const std::string& entry : wanted) {
    const std::string whole =
        absl::StrCat(absl::string_view("\0", 1), entry, absl::string_view("\0", 1));
    if (text.find(whole) == std::string::npos) return false;
  }
  return true;
}

bool Matches(pid_t pid, const ProcessFilter& filter) {
  const std::optional<Stat> stat = ReadStat(pid);
  if (!stat || stat->state == 'Z' || stat->state == 'X') return false;
  if (filter.group > 0 && stat->group == filter.group) return true;
  return HasEnvironment(pid, filter.environment);
}

}  // namespace

std::optional<uint64_t> ProcessStartTime(pid_t pid) {
  const std::optional<Stat> stat = ReadStat(pid);
  if (!stat || stat->state == 'Z' || stat->state == 'X') return std::nullopt;
  return stat->start_time;
}

std::vector<pid_t> FindProcesses(const ProcessFilter& filter) {
  std::vector<pid_t> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc"), &closedir);
  if (!folder) return found;
  const pid_t self = getpid();
  while (const dirent* entry = readdir(folder.get())) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(absl::string_view(entry->d_name), &pid)) continue;
    if (pid != self && Matches(pid, filter)) found.push_back(pid);
  }
  return found;
}

std::vector<pid_t> KillProcesses(const ProcessFilter& filter, int tries) {
  std::vector<pid_t> left;
  for (int i = 0; i < tries; ++i) {
    left = FindProcesses(filter);
    if (left.empty()) break;
    for (const pid_t pid : left) kill(pid, SIGKILL);
    poll(nullptr, 0, 10);
  }
  return left.empty() ? left : FindProcesses(filter);
}

int64_t OutOfMemoryKills() {
  std::ifstream in("/proc/vmstat");
  std::string name;
  int64_t value = 0;
  while (in >> name >> value) {
    if (name == "oom_kill") return value;
  }
  return 0;
}

}  // namespace fpo::worker

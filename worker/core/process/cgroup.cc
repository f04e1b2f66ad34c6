#include "worker/core/process/cgroup.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files/file_descriptor.h"
#include "common/files/posix_status.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "worker/core/process/process_table.h"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kTextBytesMax = 1 << 20;
constexpr char kAgentLeaf[] = "fpo-agent";

std::string TextOf(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path, kTextBytesMax);
  return text.ok() ? *text : "";
}

// Reads a number from a file of "name value" lines.
std::optional<int64_t> NumberIn(const std::string& path, absl::string_view name) {
  const std::string text = TextOf(path);
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    int64_t number = 0;
    if (words.size() == 2 && words[0] == name && absl::SimpleAtoi(words[1], &number)) {
      return number;
    }
  }
  return std::nullopt;
}

// Control files take one write and are never created.
absl::Status Write(const std::string& path, absl::string_view text) {
  const FileDescriptor file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.is_open()) return PosixError(errno, "open", path);
  if (write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) {
    return absl::OkStatus();
  }
  return PosixError(errno, "write", path);
}

bool Lists(const std::string& path, absl::string_view word) {
  const std::string text = TextOf(path);
  for (const absl::string_view each : absl::StrSplit(text, absl::ByAnyChar(" \n"))) {
    if (each == word) return true;
  }
  return false;
}

bool MayWrite(const std::string& path) {
  return access(path.c_str(), W_OK) == 0 && access((path + "/cgroup.procs").c_str(), W_OK) == 0;
}

// systemd marks what it delegates; for anyone but root a writable folder counts as delegated.
bool IsDelegated(const std::string& path) {
  if (!MayWrite(path) || access((path + "/cgroup.kill").c_str(), F_OK) != 0) return false;
  if (geteuid() != 0) return true;
  char mark[2] = "";
  for (const char* name : {"trusted.delegate", "user.delegate"}) {
    if (getxattr(path.c_str(), name, mark, 1) == 1 && mark[0] == '1') return true;
  }
  return false;
}

// Where the cgroup version 2 file system is mounted; empty: not mounted.
std::string MountOf(const std::string& proc) {
  const std::string mounts = TextOf(proc + "/self/mountinfo");
  for (const absl::string_view line : absl::StrSplit(mounts, '\n')) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    const std::string both(line);
    if (absl::StrContains(both, " - cgroup2 ") && words.size() > 4) return words[4];
  }
  return "";
}

absl::StatusOr<std::string> OwnCgroup(const std::string& proc) {
  const std::string mount = MountOf(proc);
  if (mount.empty()) return absl::UnavailableError("cgroup version 2 is not mounted");
  const std::string memberships = TextOf(proc + "/self/cgroup");
  for (const absl::string_view line : absl::StrSplit(memberships, '\n')) {
    if (!absl::StartsWith(line, "0::/")) continue;
    std::string path = absl::StrCat(mount, line.substr(3));
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    if (IsDelegated(path)) return path;
    return absl::UnavailableError(
        absl::StrCat("the cgroup ", path, " is not delegated to the agent"));
  }
  return absl::UnavailableError("the agent is in no cgroup of version 2");
}

// A cgroup with members cannot delegate controllers, so the agent itself moves into a leaf.
absl::Status MoveIntoLeaf(const std::string& path) {
  const std::string leaf = absl::StrCat(path, "/", kAgentLeaf);
  if (mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST) return PosixError(errno, "mkdir", leaf);
  return Write(leaf + "/cgroup.procs", "0");
}

}  // namespace

RankCgroup::~RankCgroup() { rmdir(path_.c_str()); }

bool RankCgroup::HasProcesses() const {
  return NumberIn(path_ + "/cgroup.events", "populated").value_or(0) != 0;
}

void RankCgroup::Kill() { (void)Write(path_ + "/cgroup.kill", "1"); }

bool RankCgroup::KillAll(int tries) {
  for (; HasProcesses(); --tries) {
    if (tries <= 0) return false;
    Kill();
    poll(nullptr, 0, 10);
  }
  return true;
}

std::optional<int64_t> RankCgroup::OutOfMemoryKills() const {
  return NumberIn(path_ + "/memory.events", "oom_kill");
}

std::optional<int64_t> RankCgroup::PeakBytes() const {
  int64_t bytes = 0;
  if (!absl::SimpleAtoi(TextOf(path_ + "/memory.peak"), &bytes)) return std::nullopt;
  return bytes;
}

absl::StatusOr<std::unique_ptr<CgroupTree>> CgroupTree::Open(const Options& options) {
  std::unique_ptr<CgroupTree> tree(new CgroupTree());
  if (options.where == "auto") {
    FPO_ASSIGN_OR_RETURN(tree->path_, OwnCgroup(options.proc));
    const absl::Status moved = MoveIntoLeaf(tree->path_);
    if (!moved.ok()) return absl::UnavailableError(moved.message());
  } else {
    tree->path_ = options.where;
    if (!MayWrite(tree->path_) ||
        access((tree->path_ + "/cgroup.controllers").c_str(), F_OK) != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--cgroup: ", options.where,
          " is not a folder of a cgroup version 2 file system that this ", "user may write"));
    }
  }
  tree->prefix_ = absl::StrCat("fpo-", ToHex(Sha256Of(options.work_dir)).substr(0, 12), "-");
  tree->memory_bytes_ = options.memory_bytes;
  // Fails while foreign processes are in it; ranks then have no memory statistics.
  (void)Write(tree->path_ + "/cgroup.subtree_control", "+memory");
  tree->has_memory_ = Lists(tree->path_ + "/cgroup.subtree_control", "memory");
  if (options.memory_bytes > 0 && !tree->has_memory_) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--memory-max-mib needs the memory controller, which ", tree->path_, " cannot delegate"));
  }
  FPO_RETURN_IF_ERROR(tree->RemoveLeftovers());
  return tree;
}

absl::Status CgroupTree::RemoveLeftovers() {
  std::vector<std::string> survivors;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path_, error)) {
    if (!absl::StartsWith(entry.path().filename().string(), prefix_)) continue;
    RankCgroup left(entry.path().string());
    if (left.HasProcesses()) ++killed_at_start_;
    if (!left.KillAll(kKillRounds)) survivors.push_back(entry.path().string());
  }
  if (survivors.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("processes of an earlier agent survive SIGKILL in ",
                   absl::StrJoin(survivors, ", "), "; they may hold devices"));
}

absl::StatusOr<std::unique_ptr<RankCgroup>> CgroupTree::Make(const RankIdentity& identity) {
  const std::string path =
      absl::StrCat(path_, "/", prefix_, identity.attempt.job_id, "-a", identity.attempt.attempt,
                   "-e", identity.attempt.epoch, "-r", identity.rank, "-", ++made_);
  if (mkdir(path.c_str(), 0755) != 0) return PosixError(errno, "make the cgroup", path);
  auto cgroup = std::make_unique<RankCgroup>(path);
  if (memory_bytes_ > 0) {
    FPO_RETURN_IF_ERROR(Write(path + "/memory.max", absl::StrCat(memory_bytes_)));
    // All of a rank dies together, not just the process that the kernel picks.
    (void)Write(path + "/memory.oom.group", "1");
  }
  return cgroup;
}

}  // namespace fpo::worker

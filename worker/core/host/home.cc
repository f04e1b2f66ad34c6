#include "worker/core/host/home.h"

#include <sys/stat.h>

#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/hash.h"
#include "common/status_macros.h"

namespace fpo::worker {
namespace {

constexpr int64_t kIdBytesMax = 4096;
constexpr char kBootId[] = "/proc/sys/kernel/random/boot_id";

absl::StatusOr<std::string> ReadOrMakeId(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path, kIdBytesMax);
  if (text.ok() && !text->empty()) return std::string(absl::StripAsciiWhitespace(*text));
  if (!text.ok() && !absl::IsNotFound(text.status())) return text.status();
  const std::string id = RandomId(16);
  FPO_RETURN_IF_ERROR(WriteFileAtomically(path, id + "\n"));
  return id;
}

}  // namespace

absl::StatusOr<Home> OpenHome(const std::string& work_dir) {
  Home home;
  FPO_ASSIGN_OR_RETURN(const std::string id, ReadOrMakeId(work_dir + "/agent-id"));
  struct stat folder {};
  if (stat(work_dir.c_str(), &folder) != 0) return PosixError(errno, "stat", work_dir);
  home.id = ToHex(Sha256Of(absl::StrCat(id, " ", folder.st_ino)));
  const absl::StatusOr<std::string> boot = ReadFile(kBootId, kIdBytesMax);
  if (boot.ok()) home.boot_id = std::string(absl::StripAsciiWhitespace(*boot));
  return home;
}

}  // namespace fpo::worker

#include "worker/core/objects/hub_cache.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSnapshotEntriesMax = 20'000;
constexpr int64_t kRefBytesMax = 256;

std::string HubVariable(const std::vector<std::string>& environment, absl::string_view name) {
  for (const std::string& entry : environment) {
    absl::string_view rest = entry;
    if (absl::ConsumePrefix(&rest, name) && absl::ConsumePrefix(&rest, "=")) {
      return std::string(rest);
    }
  }
  return "";
}

bool IsCommit(absl::string_view text) {
  return text.size() == 40 && std::all_of(text.begin(), text.end(), [](char c) {
           return std::isxdigit(static_cast<unsigned char>(c)) != 0;
         });
}

std::string RepositoryFolder(const HubPath& hub) {
  return absl::StrCat(hub.is_dataset ? "datasets" : "models", "--",
                      absl::StrReplaceAll(hub.repository, {{"/", "--"}}));
}

std::string HowToFetch(const std::string& cache, const HubPath& hub) {
  return absl::StrCat("; on this worker, as its user: HF_HUB_CACHE=", cache, " ",
                      hub.DownloadCommand());
}

absl::StatusOr<std::string> CommitOf(const fs::path& repository, const HubPath& hub) {
  std::error_code error;
  if (IsCommit(hub.revision) && fs::is_directory(repository / "snapshots" / hub.revision, error)) {
    return hub.revision;
  }
  const auto text = ReadFile((repository / "refs" / hub.revision).string(), kRefBytesMax);
  FPO_RETURN_IF_ERROR(text.status());
  const std::string commit(absl::StripAsciiWhitespace(*text));
  if (IsCommit(commit)) return commit;
  return absl::DataLossError("its ref names no commit");
}

// Files that are being written, or whose writer died.
std::string Unfinished(const fs::path& repository) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(repository / "blobs", error)) {
    const std::string name = entry.path().filename().string();
    if (absl::EndsWith(name, ".incomplete")) return name;
  }
  return "";
}

// Everything that `path` leads to is inside `repository`, and there.
absl::Status CheckLinks(const fs::path& path, const fs::path& repository) {
  std::error_code error;
  const fs::path inside = fs::canonical(repository, error);
  const auto check = [&](const fs::path& entry) -> absl::Status {
    std::error_code missing;
    const fs::path real = fs::canonical(entry, missing);
    if (missing) {
      return absl::FailedPreconditionError(
          absl::StrCat(entry.string(), " leads to nothing: the download is not complete"));
    }
    const fs::path from_inside = real.lexically_relative(inside);
    if (!from_inside.empty() && *from_inside.begin() != "..") return absl::OkStatus();
    return absl::PermissionDeniedError(
        absl::StrCat(entry.string(), " leads out of ", repository.string()));
  };
  FPO_RETURN_IF_ERROR(check(path));
  if (!fs::is_directory(path, error)) return absl::OkStatus();
  size_t entries = 0;
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    if (++entries > kSnapshotEntriesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat(path.string(), " holds more than ", kSnapshotEntriesMax, " files"));
    }
    FPO_RETURN_IF_ERROR(check(it->path()));
  }
  return error ? PosixError(error.value(), "list", path.string()) : absl::OkStatus();
}

}  // namespace

std::string HubCacheOf(const std::vector<std::string>& environment) {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    const std::string folder = HubVariable(environment, name);
    if (!folder.empty()) return folder;
  }
  const std::string home = HubVariable(environment, "HF_HOME");
  if (!home.empty()) return home + "/hub";
  const std::string caches = HubVariable(environment, "XDG_CACHE_HOME");
  if (!caches.empty()) return caches + "/huggingface/hub";
  return HubVariable(environment, "HOME") + "/.cache/huggingface/hub";
}

absl::StatusOr<HubSnapshot> FindHubSnapshot(const std::string& cache, const HubPath& hub) {
  const fs::path repository = fs::path(cache) / RepositoryFolder(hub);
  const std::string what = absl::StrCat("revision ", hub.revision, " of ", hub.repository);
  const absl::StatusOr<std::string> commit = CommitOf(repository, hub);
  if (!commit.ok()) {
    return absl::NotFoundError(absl::StrCat(what, " is not in ", cache, HowToFetch(cache, hub)));
  }
  const std::string unfinished = Unfinished(repository);
  if (!unfinished.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("a download of ", hub.repository, " to ", cache, " is not complete (blobs/",
                     unfinished, "); wait for it, or finish it", HowToFetch(cache, hub)));
  }
  HubSnapshot snapshot;
  snapshot.commit = *commit;
  const fs::path folder = repository / "snapshots" / *commit;
  snapshot.path = (hub.path.empty() ? folder : folder / hub.path).string();
  std::error_code error;
  if (fs::symlink_status(snapshot.path, error).type() == fs::file_type::not_found) {
    return absl::NotFoundError(absl::StrCat(what, " has no ", hub.path.empty() ? "files" : hub.path,
                                            " in ", cache, HowToFetch(cache, hub)));
  }
  const absl::Status links = CheckLinks(snapshot.path, repository);
  if (absl::IsFailedPrecondition(links)) {
    return absl::FailedPreconditionError(absl::StrCat(links.message(), HowToFetch(cache, hub)));
  }
  FPO_RETURN_IF_ERROR(links);
  return snapshot;
}

}  // namespace fpo::worker

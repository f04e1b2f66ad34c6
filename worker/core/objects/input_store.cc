#include "worker/core/objects/input_store.h"

#include <fnmatch.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/files/posix_status.h"
#include "common/hash.h"
#include "common/status_macros.h"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;

constexpr size_t kObjectsMax = 20'000;
constexpr char kContentPrefix[] = "sha256:";

std::string LastPart(const std::string& key) { return key.substr(key.rfind('/') + 1); }

std::string ContentOf(const std::map<std::string, FetchedBlob>& blobs) {
  Sha256 sha;
  for (const auto& [name, blob] : blobs) {
    sha.Update(name);
    sha.Update(absl::string_view("\0", 1));
    sha.Update(ToBytes(blob.sha256));
  }
  return ToHex(sha.Finish());
}

// Objects whose names end in "/" are what some tools make of a folder.
bool IsFolderMark(const ObjectInfo& object) {
  return absl::EndsWith(object.key, "/") && object.bytes == 0;
}

absl::Status CheckKey(const ObjectName& name, const std::string& below) {
  if (IsPlainKey(below)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name.Url(), " holds an object whose key cannot be the name of a file"));
}

}  // namespace

InputStore::InputStore(Options options, ObjectStore* store)
    : options_(std::move(options)),
      store_(store),
      blobs_({.folder = options_.folder,
              .disk_reserve_bytes = options_.disk_reserve_bytes,
              .make_room = [this](int64_t bytes) { return MakeRoom(bytes); }},
             store) {
  std::error_code ignored;
  fs::create_directories(options_.folder + "/trees", ignored);
  for (const auto& entry : fs::directory_iterator(options_.folder + "/trees", ignored)) {
    if (absl::StrContains(entry.path().filename().string(), ".tmp-")) {
      fs::remove_all(entry.path(), ignored);
    }
  }
}

// `shown_as`: what the path of the input has below its tree; empty: nothing.
absl::StatusOr<InputStore::Listing> InputStore::ListInput(const ObjectName& name,
                                                          std::string* shown_as) {
  Listing listing;
  const size_t wild = name.key.find_first_of("*?[");
  const bool is_pattern = wild != std::string::npos;
  const std::string folder =
      is_pattern ? name.key.substr(0, name.key.rfind('/', wild) + 1) : absl::StrCat(name.key, "/");
  FPO_ASSIGN_OR_RETURN(const std::vector<ObjectInfo> found,
                       store_->List({name.bucket, folder}, kObjectsMax));
  for (const ObjectInfo& object : found) {
    if (IsFolderMark(object)) continue;
    if (is_pattern && fnmatch(name.key.c_str(), object.key.c_str(), FNM_PATHNAME) != 0) continue;
    const std::string below = object.key.substr(folder.size());
    FPO_RETURN_IF_ERROR(CheckKey(name, below));
    listing[below] = object;
  }
  if (is_pattern) *shown_as = name.key.substr(folder.size());
  if (!listing.empty()) return listing;
  if (is_pattern) {
    return absl::NotFoundError(absl::StrCat("no object matches ", name.Url()));
  }
  absl::StatusOr<ObjectInfo> object = store_->Head(name);
  if (absl::IsNotFound(object.status())) {
    return absl::NotFoundError(
        absl::StrCat("there is no object ", name.Url(), ", and none below ", name.Url(), "/"));
  }
  FPO_RETURN_IF_ERROR(object.status());
  *shown_as = LastPart(name.key);
  listing[*shown_as] = *std::move(object);
  return listing;
}

absl::StatusOr<StoredInput> InputStore::Fetch(const ObjectName& name, const OnProgress& on_progress,
                                              std::stop_token stop) {
  std::string shown_as;
  FPO_ASSIGN_OR_RETURN(const Listing listing, ListInput(name, &shown_as));
  StoredInput input;
  for (const auto& [below, object] : listing) input.bytes += object.bytes;
  if (input.bytes > options_.bytes_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat(name.Url(), " has ", input.bytes, " bytes, and this worker keeps at most ",
                     options_.bytes_max, " of inputs (fpo-worker --inputs-max-mib)"));
  }
  std::map<std::string, FetchedBlob> blobs;
  int64_t present = 0;
  for (const auto& [below, object] : listing) {
    const int64_t before = present;
    const auto on_bytes = [&](int64_t bytes) {
      present += bytes;
      on_progress(present, input.bytes);
    };
    FPO_ASSIGN_OR_RETURN(FetchedBlob blob,
                         blobs_.Fetch({name.bucket, object.key}, object, on_bytes, stop));
    present = before + blob.bytes;
    if (!blob.was_here) input.bytes_fetched += blob.bytes;
    blobs.emplace(below, std::move(blob));
  }
  on_progress(present, input.bytes);
  const std::string tree = ContentOf(blobs);
  input.hold = HoldTree(tree);
  input.files = static_cast<int64_t>(blobs.size());
  input.content = kContentPrefix + tree;
  input.path = absl::StrCat(options_.folder, "/trees/", tree);
  FPO_RETURN_IF_ERROR(MakeTree(blobs, input.path));
  if (!shown_as.empty()) absl::StrAppend(&input.path, "/", shown_as);
  return input;
}

absl::Status InputStore::MakeTree(const std::map<std::string, FetchedBlob>& blobs,
                                  const std::string& tree) {
  // One at a time: two jobs may want the same.
  absl::MutexLock lock(&mutex_);
  std::error_code error;
  if (fs::is_directory(tree, error)) {
    fs::last_write_time(tree, fs::file_time_type::clock::now(), error);  // used now
    bool whole = true;
    for (const auto& [below, blob] : blobs) {
      whole = whole && fs::equivalent(absl::StrCat(tree, "/", below), blob.path, error) && !error;
    }
    if (whole) return absl::OkStatus();
    fs::remove_all(tree, error);
  }
  const std::string building = absl::StrCat(tree, ".tmp-", RandomId(4));
  for (const auto& [below, blob] : blobs) {
    const fs::path file = fs::path(building) / below;
    fs::create_directories(file.parent_path(), error);
    if (error) return PosixError(error.value(), "mkdir", file.parent_path().string());
    if (link(blob.path.c_str(), file.c_str()) != 0) return PosixError(errno, "link", file.string());
  }
  fs::rename(building, tree, error);
  return error ? PosixError(error.value(), "rename", tree) : absl::OkStatus();
}

std::shared_ptr<void> InputStore::HoldTree(const std::string& tree) {
  {
    absl::MutexLock lock(&mutex_);
    ++held_[tree];
  }
  return {nullptr, [this, tree](void*) {
            absl::MutexLock lock(&mutex_);
            if (--held_[tree] == 0) held_.erase(tree);
          }};
}

absl::Status InputStore::MakeRoom(int64_t bytes) {
  while (blobs_.BytesUsed() + bytes > options_.bytes_max) {
    if (blobs_.RemoveUnused() > 0) continue;
    if (RemoveOldestTree()) continue;
    return absl::ResourceExhaustedError(absl::StrCat(
        "the inputs of jobs that run here leave no room for ", bytes, " bytes more of the ",
        options_.bytes_max, " that this worker keeps (fpo-worker --inputs-max-mib)"));
  }
  return absl::OkStatus();
}

bool InputStore::RemoveOldestTree() {
  absl::MutexLock lock(&mutex_);
  fs::path oldest;
  fs::file_time_type used = fs::file_time_type::max();
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options_.folder + "/trees", error)) {
    std::error_code gone;
    const fs::file_time_type time = entry.last_write_time(gone);
    if (gone || held_.count(entry.path().filename().string()) > 0 || time >= used) continue;
    oldest = entry.path();
    used = time;
  }
  if (oldest.empty()) return false;
  fs::remove_all(oldest, error);
  return !error;
}

}  // namespace fpo::worker

#include "worker/core/objects/output_mirror.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/hash.h"
#include "common/outputs/folder_manifest.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "nlohmann/json.hpp"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;

constexpr size_t kOutputObjectsMax = 20'000;
constexpr int64_t kClaimBytesMax = 4096;
constexpr char kClaimName[] = ".attempt.json";
constexpr char kIndexName[] = "output.json";
constexpr char kLockName[] = ".lock";  // it fences what an earlier attempt still does here

// N of "checkpoints/step-N/FILE".
std::optional<int64_t> StepOfFile(absl::string_view file) {
  int64_t step = 0;
  if (!absl::ConsumePrefix(&file, "checkpoints/step-")) return std::nullopt;
  if (!absl::SimpleAtoi(file.substr(0, file.find('/')), &step)) return std::nullopt;
  return step;
}

std::string CheckpointOf(int64_t step) { return absl::StrCat("checkpoints/step-", step, "/"); }

// Of this host alone, or under construction.
bool StaysHere(absl::string_view file) {
  for (const absl::string_view part : absl::StrSplit(file, '/')) {
    const bool building = absl::StrContains(part, ".tmp-") || absl::EndsWith(part, ".tmp") ||
                          absl::StrContains(part, ".old-") || absl::EndsWith(part, ".old");
    if (building || part == kLockName) return true;
  }
  return false;
}

// Made anew at the end of a run.
bool IsExported(absl::string_view file) {
  return absl::StartsWith(file, "model/") || absl::StartsWith(file, "exports/");
}

// What readers look at first is sent after what it describes.
int Rank(absl::string_view file) {
  const bool describes = absl::EndsWith(file, "/manifest.json") || file == "run.json";
  if (StepOfFile(file)) return describes ? 2 : 1;
  if (IsExported(file)) return describes ? 4 : 3;
  return describes ? 5 : 0;  // the files beside a checkpoint are not older than it
}

}  // namespace

ObjectName OutputMirror::NameOf(const std::string& file) const {
  return {options_.prefix.bucket, absl::StrCat(options_.prefix.key, "/", file)};
}

std::string OutputMirror::PathOf(const std::string& file) const {
  return absl::StrCat(options_.folder, "/", file);
}

absl::StatusOr<OutputMirror::Mark> OutputMirror::MarkOf(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return PosixError(errno, "stat", path);
  return Mark{info.st_size, info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec,
              info.st_ino};
}

// False: there is no such object.
absl::StatusOr<bool> OutputMirror::FetchFile(const std::string& file, std::stop_token stop) {
  const std::string path = PathOf(file);
  const absl::StatusOr<ObjectInfo> info = store_->Head(NameOf(file));
  if (absl::IsNotFound(info.status())) return false;
  FPO_RETURN_IF_ERROR(info.status());
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  absl::StatusOr<Digest> sha256 = absl::NotFoundError("");
  if (!error && info->sha256 && static_cast<int64_t>(bytes) == info->bytes) {
    sha256 = Sha256OfFile(path);
  }
  if (!sha256.ok() || *sha256 != info->sha256) {
    FPO_RETURN_IF_ERROR(MakeParentFolder(path));
    FPO_ASSIGN_OR_RETURN(const std::unique_ptr<DurableFile> local, DurableFile::Create(path));
    Sha256 sha;
    FPO_RETURN_IF_ERROR(
        store_->Get(NameOf(file), {.etag = info->etag, .stop = stop}, [&](absl::string_view piece) {
          sha.Update(piece);
          return local->Append(piece);
        }));
    sha256 = sha.Finish();
    if (info->sha256 && *info->sha256 != *sha256) {
      return absl::DataLossError(
          absl::StrCat(NameOf(file).Url(), ": its bytes are not those that it states"));
    }
    FPO_RETURN_IF_ERROR(local->Finish());
  }
  FPO_ASSIGN_OR_RETURN(const Mark mark, MarkOf(path));
  sent_[file] = {mark, *sha256};
  return true;
}

void OutputMirror::RemoveOthers(const std::set<std::string>& wanted) const {
  std::error_code error;
  std::vector<fs::path> others;
  for (fs::recursive_directory_iterator it(options_.folder, error), end; !error && it != end;
       it.increment(error)) {
    if (it->is_directory(error) && !it->is_symlink(error)) continue;
    const std::string file = it->path().lexically_relative(options_.folder).string();
    if (wanted.count(file) == 0 && file != kLockName) others.push_back(it->path());
  }
  for (const fs::path& path : others) fs::remove(path, error);
}

absl::Status OutputMirror::Pull(int64_t discard_after_step,
                                const std::function<void(const std::string&)>& note,
                                std::stop_token stop) {
  const std::string below = absl::StrCat(options_.prefix.key, "/");
  FPO_ASSIGN_OR_RETURN(const std::vector<ObjectInfo> objects,
                       store_->List({options_.prefix.bucket, below}, kOutputObjectsMax));
  std::set<std::string> wanted;
  for (const ObjectInfo& object : objects) {
    const std::string file = object.key.substr(below.size());
    if (!IsPlainKey(file)) continue;  // none of ours
    there_.insert(file);
  }
  for (const std::string& file : there_) {
    if (IsExported(file) || StaysHere(file) || file == kClaimName || file == kIndexName) continue;
    const std::optional<int64_t> step = StepOfFile(file);
    const bool complete = step && there_.count(CheckpointOf(*step) + kManifestName) > 0;
    const bool discarded = step && discard_after_step > 0 && *step > discard_after_step;
    if (!step || (complete && !discarded)) wanted.insert(file);
  }
  RemoveOthers(wanted);
  std::set<int64_t> steps;
  for (const std::string& file : wanted) {
    FPO_RETURN_IF_ERROR(FetchFile(file, stop).status());
    if (const auto step = StepOfFile(file)) steps.insert(*step);
  }
  for (const int64_t step : steps) {
    // A manifest is sent last, so this is one whose removal was not complete.
    const std::string folder = PathOf(absl::StrCat("checkpoints/step-", step));
    const auto manifest = ReadFolderManifest(folder);
    const bool whole =
        manifest.ok() && std::all_of(manifest->begin(), manifest->end(), [&](const auto& each) {
          return wanted.count(CheckpointOf(step) + each.first) > 0;
        });
    std::error_code ignored;
    if (!whole) fs::remove_all(folder, ignored);
    note(absl::StrCat("output ", options_.prefix.Url(), ": the checkpoint of step ", step,
                      whole ? " is here" : " lacks files and is left out"));
  }
  return absl::OkStatus();
}

absl::Status OutputMirror::CheckClaim() {
  const auto text = store_->GetBytes(NameOf(kClaimName), kClaimBytesMax);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  FPO_RETURN_IF_ERROR(text.status());
  std::string job_id;
  int64_t epoch = 0;
  const absl::StatusOr<nlohmann::json> json = ParseJson(*text);
  if (!json.ok() || !ReadMember(*json, "job_id", &job_id).ok() ||
      !ReadMember(*json, "epoch", &epoch).ok()) {
    return absl::DataLossError(absl::StrCat(NameOf(kClaimName).Url(), " is not one of a worker"));
  }
  if (job_id != options_.job_id || epoch <= static_cast<int64_t>(options_.epoch)) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat("output: ", options_.prefix.Url(),
                                                    " belongs to a later attempt (epoch ", epoch,
                                                    ") of this job by now"));
}

absl::Status OutputMirror::Claim() {
  FPO_RETURN_IF_ERROR(CheckClaim());
  const nlohmann::json json = {{"job_id", options_.job_id}, {"epoch", options_.epoch}};
  FPO_RETURN_IF_ERROR(store_->Put(NameOf(kClaimName), json.dump() + "\n"));
  there_.insert(kClaimName);
  return there_.count(kIndexName) > 0 ? Remove(kIndexName) : absl::OkStatus();
}

// In the order in which they are sent.
std::vector<std::string> OutputMirror::LocalFiles() const {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::recursive_directory_iterator it(options_.folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;
    if (it->is_symlink(gone) || !it->is_regular_file(gone)) continue;
    std::string file = it->path().lexically_relative(options_.folder).string();
    if (StaysHere(file) || !IsPlainKey(file)) continue;
    const std::optional<int64_t> step = StepOfFile(file);
    if (step && !fs::exists(PathOf(CheckpointOf(*step) + kManifestName), gone)) continue;
    files.push_back(std::move(file));
  }
  std::sort(files.begin(), files.end(), [](const std::string& a, const std::string& b) {
    return std::make_pair(Rank(a), a) < std::make_pair(Rank(b), b);
  });
  return files;
}

absl::Status OutputMirror::Send(const std::string& file, std::stop_token stop) {
  const std::string path = PathOf(file);
  const absl::StatusOr<Mark> mark = MarkOf(path);
  if (absl::IsNotFound(mark.status())) return absl::OkStatus();  // retention was faster
  FPO_RETURN_IF_ERROR(mark.status());
  const auto known = sent_.find(file);
  if (known != sent_.end() && known->second.mark == *mark) return absl::OkStatus();
  const absl::StatusOr<Digest> sha256 = store_->PutFile(NameOf(file), path, stop);
  if (!sha256.ok()) {
    const bool is_gone = absl::IsNotFound(MarkOf(path).status());
    return is_gone ? absl::OkStatus() : sha256.status();
  }
  there_.insert(file);
  sent_[file] = {*mark, *sha256};
  return absl::OkStatus();
}

absl::Status OutputMirror::Remove(const std::string& file) {
  FPO_RETURN_IF_ERROR(store_->Delete(NameOf(file)));
  there_.erase(file);
  sent_.erase(file);
  return absl::OkStatus();
}

absl::Status OutputMirror::RemoveGone(bool finished) {
  std::vector<std::string> gone;
  for (const std::string& file : there_) {
    std::error_code error;
    const bool own = file == kClaimName || file == kIndexName || absl::StartsWith(file, "exports/");
    if (own || (!StepOfFile(file) && !finished) || fs::exists(PathOf(file), error)) continue;
    gone.push_back(file);
  }
  // A checkpoint without its manifest is none.
  std::stable_sort(gone.begin(), gone.end(), [](const std::string& a, const std::string& b) {
    return absl::EndsWith(a, "/manifest.json") > absl::EndsWith(b, "/manifest.json");
  });
  for (const std::string& file : gone) FPO_RETURN_IF_ERROR(Remove(file));
  return absl::OkStatus();
}

absl::Status OutputMirror::WriteIndex() {
  nlohmann::json files = nlohmann::json::object();
  for (const auto& [file, sent] : sent_) {
    files[file] = {{"bytes", sent.mark.bytes}, {"sha256", ToHex(sent.sha256)}};
  }
  const nlohmann::json json = {{"job_id", options_.job_id}, {"files", std::move(files)}};
  return store_->Put(NameOf(kIndexName), json.dump(2) + "\n");
}

absl::Status OutputMirror::Push(bool finished, std::stop_token stop) {
  FPO_RETURN_IF_ERROR(CheckClaim());
  for (const std::string& file : LocalFiles()) {
    if (stop.stop_requested()) return absl::CancelledError("stopped");
    FPO_RETURN_IF_ERROR(Send(file, stop));
  }
  FPO_RETURN_IF_ERROR(RemoveGone(finished));
  return finished ? WriteIndex() : absl::OkStatus();
}

absl::Status OutputMirror::RemoveAll() {
  const std::set<std::string> all = there_;
  for (const std::string& file : all) {
    if (file != kClaimName) FPO_RETURN_IF_ERROR(Remove(file));
  }
  return absl::OkStatus();
}

}  // namespace fpo::worker

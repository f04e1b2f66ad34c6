#include "worker/core/job_places.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/data_files.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/hash.h"
#include "common/inputs/model_home.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "nlohmann/json.hpp"
#include "worker/core/phase_plan.h"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;

constexpr size_t kEntriesMax = 20'000;  // of one input folder
constexpr int64_t kOwnerBytesMax = 4096;
constexpr size_t kShownNameMax = 64;

absl::Status Invalid(absl::string_view key, const absl::Status& why) {
  return absl::InvalidArgumentError(absl::StrCat(key, ": ", why.message()));
}

// Jobs read what others have written, too: a job continues with the model of another.
Roots Readable(const JobPlaces& places) {
  std::vector<std::string> all = places.read.folders();
  all.insert(all.end(), places.write.folders().begin(), places.write.folders().end());
  return Roots(std::move(all));
}

// The folder in which a pattern begins to be one.
std::string FixedPart(const std::string& pattern) {
  const std::string fixed = pattern.substr(0, pattern.find_first_of("*?["));
  return fixed.substr(0, fixed.rfind('/') + 1);
}

absl::Status CheckInput(const Roots& roots, const std::string& path) {
  if (!IsFilePattern(path)) return roots.CheckTree(path, kEntriesMax);
  // Nothing is listed outside.
  FPO_RETURN_IF_ERROR(roots.Check(FixedPart(path)));
  const absl::StatusOr<std::vector<std::string>> files = ExpandDataFiles(path);
  if (!files.ok()) return absl::OkStatus();
  for (const std::string& file : *files) FPO_RETURN_IF_ERROR(roots.CheckTree(file, kEntriesMax));
  return absl::OkStatus();
}

// A job must not choose where a key goes, nor make the worker call servers of its own network.
absl::Status CheckJudgeServer(const JobPlaces& places, const JudgeSection& judge) {
  if (judge.url.empty()) return absl::OkStatus();
  std::string url = judge.url;
  while (absl::EndsWith(url, "/")) url.pop_back();
  const auto server = places.judges.find(url);
  if (server == places.judges.end()) {
    std::vector<std::string> known;
    for (const auto& [name, key_file] : places.judges) known.push_back(name);
    return absl::InvalidArgumentError(
        absl::StrCat("judge.url: ", judge.url, " is no server that this worker may ask; there ",
                     known.empty() ? "is none" : absl::StrCat("are ", absl::StrJoin(known, ", ")),
                     " (fpo-worker --judge URL=KEY_FILE)"));
  }
  if (judge.key_file.empty() || judge.key_file == server->second) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "judge.key_file: ", judge.key_file, " may not be sent to ", judge.url, "; this worker has ",
      server->second.empty() ? std::string("no key") : server->second,
      " for it (fpo-worker --judge URL=KEY_FILE)"));
}

// A link there would make a run read, replace and remove what is elsewhere.
absl::Status CheckNoLinks(const std::string& output) {
  std::error_code error;
  std::vector<std::string> places = {"", "/checkpoints", "/model", "/evaluations", "/exports"};
  for (size_t i = 0; i < places.size(); ++i) {
    for (const auto& entry : fs::directory_iterator(output + places[i], error)) {
      std::error_code ignored;
      if (places[i] == "/evaluations" && entry.is_directory(ignored)) {  // of a set
        places.push_back("/evaluations/" + entry.path().filename().string());
      }
      if (!entry.is_symlink(ignored)) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("output: ", entry.path().string(),
                       " is a symbolic link; a run's folder holds files and folders of its own"));
    }
  }
  return absl::OkStatus();
}

std::string OwnerPath(const std::string& output) { return output + "/.owner"; }

// nullopt: no owner is written there.
absl::StatusOr<std::optional<std::string>> OwnerOf(const std::string& output) {
  const absl::StatusOr<std::string> text = ReadFile(OwnerPath(output), kOwnerBytesMax);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  FPO_RETURN_IF_ERROR(text.status());
  std::string owner;
  const absl::StatusOr<nlohmann::json> json = ParseJson(*text);
  if (!json.ok() || !ReadMember(*json, "owner", &owner).ok()) {
    return absl::DataLossError(absl::StrCat(OwnerPath(output), " names no owner"));
  }
  return owner;
}

// "/runs/a" of "/runs/a", "/runs/a/checkpoints/step-4" and "/runs/a/model".
std::string OutputOf(const ServeArtifactCommand& order) {
  if (!order.checkpoint) return order.folder;
  return fs::path(order.folder).parent_path().parent_path().string();
}

std::string Named(const std::string& owner) {
  return owner.empty() ? std::string("a user without a name") : owner;
}

// Whether `name` is the place or lies below it.
bool IsBelow(const ObjectName& place, const ObjectName& name) {
  if (place.bucket != name.bucket) return false;
  return place.key.empty() || name.key == place.key ||
         absl::StartsWith(name.key, absl::StrCat(place.key, "/"));
}

absl::Status AddRoots(const std::vector<std::string>& roots, std::vector<std::string>* folders,
                      std::vector<ObjectName>* objects) {
  for (const std::string& root : roots) {
    if (!IsUrl(root)) {
      folders->push_back(root);
      continue;
    }
    FPO_ASSIGN_OR_RETURN(ObjectName place, ParseS3Url(root));
    objects->push_back(std::move(place));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JobPlaces> PlacesOf(const std::vector<std::string>& roots,
                                   const std::vector<std::string>& output_roots) {
  JobPlaces places;
  std::vector<std::string> read, write;
  FPO_RETURN_IF_ERROR(AddRoots(roots, &read, &places.read_objects));
  FPO_RETURN_IF_ERROR(AddRoots(output_roots, &write, &places.write_objects));
  places.read = Roots(std::move(read));
  places.write = Roots(std::move(write));
  return places;
}

absl::Status CheckUrlPlace(const JobPlaces& places, const std::string& url, bool writes) {
  FPO_ASSIGN_OR_RETURN(const ObjectName name, ParseS3Url(url));
  if (places.anywhere()) return absl::OkStatus();
  std::vector<ObjectName> open = places.write_objects;
  if (!writes) {
    open.insert(open.end(), places.read_objects.begin(), places.read_objects.end());
  }
  std::vector<std::string> shown;
  for (const ObjectName& place : open) {
    if (IsBelow(place, name)) return absl::OkStatus();
    shown.push_back(place.Url());
  }
  return absl::InvalidArgumentError(absl::StrCat(
      url, " is not below a place that this worker opens to jobs (",
      shown.empty() ? std::string("it has none in an object store") : absl::StrJoin(shown, ", "),
      "; fpo-worker ", writes ? "--output-root" : "--root", " s3://BUCKET/PREFIX)"));
}

absl::Status CheckReadable(const JobPlaces& places, const std::string& path) {
  return places.anywhere() ? absl::OkStatus() : CheckInput(Readable(places), path);
}

std::string LocalOutput(const JobPlaces& places, const std::string& output) {
  if (!IsUrl(output)) return output;
  // Its last part says what it is to who looks there, and ends as the name of a smoke run does.
  std::string last = output.substr(output.rfind('/') + 1);
  last = last.substr(last.size() - std::min(last.size(), kShownNameMax));
  return absl::StrCat(places.pushed_outputs, "/", ToHex(Sha256Of(output)).substr(0, 16), "-", last);
}

absl::Status CheckPlaces(const JobPlaces& places, const JobConfig& config) {
  if (places.anywhere()) return absl::OkStatus();
  if (config.kind == "judge") FPO_RETURN_IF_ERROR(CheckJudgeServer(places, config.judge));
  const Roots readable = Readable(places);
  for (const JobInput& input : InputsOf(config)) {
    if (input.key == "judge.key_file") continue;  // the worker's own
    if (IsHubUrl(input.path)) continue;           // once it is known where that is
    if (IsUrl(input.path)) {
      const absl::Status place = CheckUrlPlace(places, input.path, /*writes=*/false);
      if (!place.ok()) return Invalid(input.key, place);
      continue;
    }
    absl::Status status = CheckInput(readable, input.path);
    if (input.key == "model.path" && status.ok()) {
      // A checkpoint has the tokenizer of the model that its run names.
      const absl::StatusOr<std::string> home = ModelHome(input.path);
      if (home.ok() && *home != input.path) status = CheckInput(readable, *home);
    }
    if (!status.ok() && !absl::IsNotFound(status)) return Invalid(input.key, status);
  }
  if (config.kind == "judge" && !config.judge.store.empty()) {
    const absl::Status store = places.write.CheckNew(config.judge.store);
    if (!store.ok()) return Invalid("judge.store", store);
  }
  if (!WritesOutput(config)) return absl::OkStatus();
  if (IsUrl(config.output)) {
    const absl::Status place = CheckUrlPlace(places, config.output, /*writes=*/true);
    return place.ok() ? place : Invalid("output", place);
  }
  const absl::Status status = places.write.CheckNew(config.output);
  return status.ok() ? CheckNoLinks(config.output) : Invalid("output", status);
}

absl::Status CheckOutputPlace(const JobPlaces& places, const std::string& folder) {
  if (places.anywhere()) return absl::OkStatus();
  const Roots own(places.pushed_outputs.empty() ? std::vector<std::string>()
                                                : std::vector<std::string>{places.pushed_outputs});
  if (own.CheckNew(folder).ok()) return absl::OkStatus();
  return places.write.CheckNew(folder);
}

absl::Status CheckOwner(const JobPlaces& places, const JobConfig& config, const std::string& owner,
                        bool bind) {
  if (!WritesOutput(config)) return absl::OkStatus();
  const std::string& output = config.output;
  const auto there = OwnerOf(output);
  if (!there.ok()) return Invalid("output", there.status());
  if (there->has_value()) {
    if (**there == owner) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("output: ", output, " belongs to ", Named(**there), ", and this job to ",
                     Named(owner), "; submit it with another folder: --set output=..."));
  }
  std::error_code error;
  if (!places.anywhere() && fs::exists(output + "/job.yaml", error)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "output: ", output, " holds a run, and no ", OwnerPath(output),
        " says whose it is; submit the job with another folder (--set output=...), or let an "
        "administrator write {\"owner\": \"NAME\"} there"));
  }
  if (!bind) return absl::OkStatus();
  fs::create_directories(output, error);
  if (error) return PosixError(error.value(), "make the folder", output);
  nlohmann::json json;
  json["owner"] = owner;
  return WriteFileAtomically(OwnerPath(output), json.dump() + "\n");
}

absl::Status MayServe(const JobPlaces& places, const ServeArtifactCommand& order) {
  const std::string output = LocalOutput(places, OutputOf(order));
  FPO_RETURN_IF_ERROR(CheckOutputPlace(places, output));
  const auto owner = OwnerOf(output);
  FPO_RETURN_IF_ERROR(owner.status());
  // Folders from before owners were written, on a machine whose users share it.
  if (!owner->has_value() && places.anywhere()) return absl::OkStatus();
  if (owner->has_value() && **owner == order.owner) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(
      output, " belongs to ", owner->has_value() ? Named(**owner) : std::string("no one known"),
      ", and the job to ", Named(order.owner)));
}

}  // namespace fpo::worker

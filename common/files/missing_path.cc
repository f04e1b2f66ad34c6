#include "common/files/missing_path.h"

#include <cctype>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/inputs/model_home.h"
#include "common/inputs/weights/foreign_weights.h"
#include "common/job/job_reader.h"
#include "common/text/closest_word.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;

constexpr char kExamplePrefix[] = "/path/to/";  // as the templates of `fpoctl init` write it
constexpr size_t kNeighboursMax = 2000;

const char* Word(PathWanted kind) {
  if (kind == PathWanted::kFile) return "file";
  return kind == PathWanted::kFolder ? "folder" : "file or folder";
}

// The name in `folder` that is closest to the missing one, or "".
std::string Neighbour(const fs::path& folder, const std::string& absent) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (names.size() == kNeighboursMax) break;
    names.push_back(it->path().filename().string());
  }
  const std::string closest = ClosestWord(absent, names);
  return closest.empty() ? "" : (folder / closest).string();
}

bool IsHubName(absl::string_view part) {
  if (part.empty() || part[0] == '.' || part[0] == '-') return false;
  for (const char c : part) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '_' && c != '-') {
      return false;
    }
  }
  return true;
}

// How to download what is named as on the Hub, "google/gemma-3-270m", to where the job looks for
// it. "" when it is not named like that.
std::string HubHint(const WantedPath& wanted, PathWanted kind) {
  const std::vector<std::string> parts = absl::StrSplit(wanted.given, '/');
  const bool inside = kind == PathWanted::kFileOrFolder && parts.size() > 2;
  if (parts.size() < 2 || (parts.size() > 2 && !inside)) return "";
  if (!IsHubName(parts[0]) || !IsHubName(parts[1])) return "";
  const bool data = kind == PathWanted::kFile;
  // a file of a folder next to the job
  if (data && absl::StrContains(parts[1], ".json")) return "";
  fs::path local = wanted.path;
  for (size_t i = 2; i < parts.size(); ++i) local = local.parent_path();
  std::error_code error;
  if (fs::exists(local.parent_path(), error)) return "";
  std::string file;
  if (inside) {
    file = " " + absl::StrJoin(std::vector<std::string>(parts.begin() + 2, parts.end()), "/");
  }
  return absl::StrCat("; if ", parts[0], "/", parts[1],
                      " is a name of the Hugging Face Hub; download it there: huggingface-cli ",
                      "download ", data ? "--repo-type dataset " : "", parts[0], "/", parts[1],
                      file, " --local-dir ", local.string());
}

std::string Absent(const WantedPath& wanted, PathWanted kind) {
  std::string text = absl::StrCat("there is no ", Word(kind), " ", wanted.path);
  if (absl::StartsWith(wanted.path, kExamplePrefix)) {
    return text + ": that is the example's placeholder; name your own";
  }
  if (absl::StrContains(wanted.given, "://")) {
    return absl::StrCat(wanted.given, " is a URL; fpo-train reads local files: download it ",
                        "and name the ", Word(kind),
                        ", or let a worker fetch it (fpoctl submit; s3:// and hf://)");
  }
  fs::path absent = wanted.path, parent = absent.parent_path();
  std::error_code error;
  while (parent != absent && !fs::exists(parent, error)) {
    absent = parent;
    parent = absent.parent_path();
  }
  if (absent != fs::path(wanted.path)) {
    absl::StrAppend(&text, ": ", parent.string(), " exists, ", absent.string(), " does not");
  }
  const std::string close = Neighbour(parent, absent.filename().string());
  if (!close.empty()) absl::StrAppend(&text, "; did you mean ", close, "?");
  return text + HubHint(wanted, kind);
}

}  // namespace

std::string MissingPathProblem(const WantedPath& wanted, PathWanted kind) {
  std::error_code error;
  const fs::file_status status = fs::status(wanted.path, error);
  if (status.type() == fs::file_type::not_found) return Absent(wanted, kind);
  if (!fs::exists(status)) {
    return absl::StrCat(wanted.path, " cannot be accessed: ", error.message());
  }
  const bool folder = fs::is_directory(status);
  if (folder && kind == PathWanted::kFile) {
    return absl::StrCat(wanted.path, " is a folder; name the files in it");
  }
  if (!folder && kind == PathWanted::kFolder) {
    return absl::StrCat(wanted.path, " is a file; expected a folder");
  }
  return "";
}

std::string ModelFolderProblem(const WantedPath& wanted, bool tokenizer) {
  std::string problem = MissingPathProblem(wanted, PathWanted::kFolder);
  const std::string foreign = ForeignWeights(wanted.path, false);
  if (!foreign.empty()) return foreign;
  if (!problem.empty()) return problem;
  const absl::StatusOr<std::string> home = ModelHome(wanted.path);
  if (!home.ok()) return std::string(home.status().message());
  std::error_code error;
  const fs::path folder(*home);
  if (!fs::exists(folder / "config.json", error)) {
    return absl::StrCat("folder ", wanted.path,
                        " has no config.json; it must be a Hugging Face folder");
  }
  // Whether tokenizer.json alone suffices is for its reader to decide.
  if (tokenizer && !fs::exists(folder / "tokenizer.model", error) &&
      !fs::exists(folder / "tokenizer.json", error)) {
    return absl::StrCat("folder ", wanted.path,
                        " has no tokenizer.model or tokenizer.json; copy it from the model's own "
                        "folder");
  }
  return "";
}

}  // namespace fpo

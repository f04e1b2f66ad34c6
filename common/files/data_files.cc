#include "common/files/data_files.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files/data_file_name.h"
#include "common/files/saved_dataset.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFilesNamedMax = 5;

// What datasets writes beside the data: descriptions, and results of map() and filter().
bool IsNoData(const std::string& name) {
  const bool kept = absl::StartsWith(name, "cache-") && absl::EndsWith(name, ".arrow");
  return kept || name == "dataset_info.json" || name == "dataset_infos.json" ||
         name == "state.json" || absl::StartsWith(name, ".");
}

// "train", "test", or "" for a name that says neither.
std::string SplitOf(const std::string& name) {
  const std::string lower = absl::AsciiStrToLower(name);
  for (const absl::string_view word : absl::StrSplit(lower, absl::ByAnyChar("-_. "))) {
    if (word == "train" || word == "training") return "train";
    for (const char* held_out :
         {"test", "eval", "evaluation", "val", "valid", "validation", "dev"}) {
      if (word == held_out) return "test";
    }
  }
  return "";
}

// ".jsonl.gz" of "/d/train-00000-of-00002.jsonl.gz".
std::string EndingOf(const std::string& path) {
  const std::string name = fs::path(path).filename().string();
  const size_t dot = name.find('.');
  return dot == std::string::npos ? "" : name.substr(dot);
}

absl::Status CheckOneSplit(const std::string& folder, const std::vector<std::string>& files) {
  std::set<std::string> splits;
  std::vector<std::string> names;
  for (const std::string& file : files) {
    names.push_back(fs::path(file).filename().string());
    const std::string split = SplitOf(names.back());
    if (!split.empty()) splits.insert(split);
  }
  if (splits.size() < 2) return absl::OkStatus();
  if (names.size() > kFilesNamedMax) names.resize(kFilesNamedMax);
  return absl::InvalidArgumentError(
      absl::StrCat("folder ", folder, " holds files to train on and files to test on (",
                   absl::StrJoin(names, ", "), "); name the files, or a pattern such as ", folder,
                   "/train*", EndingOf(files.front())));
}

// Of "/d/train-00001-of-00003.parquet" the places of both numbers.
struct PartName {
  size_t number, count, digits;  // places in the path, and how many digits each has

  std::string Path(const std::string& path, int64_t of_number) const {
    std::string text = absl::StrCat(of_number);
    text.insert(0, digits - std::min(digits, text.size()), '0');
    return std::string(path).replace(number, digits, text);
  }
};
bool IsPart(const std::string& path, PartName* part) {
  const size_t of = path.rfind("-of-");
  if (of == std::string::npos || of < path.rfind('/') + 1) return false;
  const auto digits = [&](size_t begin, size_t end) {
    return begin < end && end <= path.size() &&
           std::all_of(path.begin() + static_cast<int64_t>(begin),
                       path.begin() + static_cast<int64_t>(end), absl::ascii_isdigit);
  };
  const size_t count = of + 4;
  const size_t end = std::min(path.find_first_not_of("0123456789", count), path.size());
  part->digits = end - count;
  part->count = count;
  part->number = of - std::min(part->digits, of);
  // Writers of parts pad their numbers, to five digits as a rule.
  return part->digits >= 4 && part->digits <= 6 && digits(count, end) && digits(part->number, of);
}

// A part that is missing on the disk is an incomplete copy; parts that are left out by a pattern
// are there. They are numbered from 0, or from 1 if the last has the number of the count.
absl::Status CheckParts(const std::vector<std::string>& files) {
  std::set<std::string> checked;
  std::error_code error;
  for (const std::string& file : files) {
    PartName part{};
    if (!IsPart(file, &part) || !checked.insert(part.Path(file, 0)).second) continue;
    const int64_t count = std::stoll(file.substr(part.count, part.digits));
    const int64_t first = fs::exists(part.Path(file, count), error) ? 1 : 0;
    for (int64_t i = first; i < first + count; ++i) {
      const std::string other = part.Path(file, i);
      if (fs::exists(other, error)) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          other, " is missing beside ", fs::path(file).filename().string(),
          ": the copy is incomplete; fetch the rest, or name the files one by one to read these ",
          "parts alone"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> FilesOfFolder(const std::string& folder) {
  FPO_ASSIGN_OR_RETURN(auto saved, SavedDatasetFiles(folder));
  if (saved) return *std::move(saved);
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const bool data = !IsNoData(name) && CheckDataFileName(name).ok();
    if (data && it->is_regular_file(error)) files.push_back(it->path().string());
  }
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("folder ", folder, " cannot be read: ", error.message()));
  }
  if (files.empty()) {
    return absl::NotFoundError(
        absl::StrCat("folder ", folder, " holds no data file (", kDataFileEndings, ")"));
  }
  std::sort(files.begin(), files.end());
  const absl::Status one = CheckOneSplit(folder, files);
  if (!one.ok()) return one;
  FPO_RETURN_IF_ERROR(CheckParts(files));
  return files;
}

absl::StatusOr<std::vector<std::string>> FilesOfPattern(const std::string& pattern) {
  glob_t found{};
  const int code = glob(pattern.c_str(), GLOB_ERR, nullptr, &found);
  std::vector<std::string> files;
  for (size_t i = 0; code == 0 && i < found.gl_pathc; ++i) {
    std::error_code error;
    if (fs::is_regular_file(found.gl_pathv[i], error)) files.emplace_back(found.gl_pathv[i]);
  }
  globfree(&found);
  if (!files.empty()) {
    FPO_RETURN_IF_ERROR(CheckParts(files));
    return files;
  }
  if (code != 0 && code != GLOB_NOMATCH) {
    return absl::UnavailableError(absl::StrCat("the pattern ", pattern, " cannot be searched"));
  }
  return absl::NotFoundError(absl::StrCat("no file matches ", pattern));
}

}  // namespace

bool IsFilePattern(const std::string& path) {
  std::error_code error;
  return path.find_first_of("*?[") != std::string::npos && !fs::exists(path, error);
}

absl::StatusOr<std::vector<std::string>> ExpandDataFiles(const std::string& path) {
  if (IsFilePattern(path)) return FilesOfPattern(path);
  std::error_code error;
  if (fs::is_directory(path, error)) return FilesOfFolder(path);
  return std::vector<std::string>{path};
}

}  // namespace fpo

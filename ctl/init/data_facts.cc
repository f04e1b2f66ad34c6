#include "ctl/init/data_facts.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/files/data_file_name.h"
#include "common/files/data_files.h"
#include "common/files/missing_path.h"

namespace fpo::ctl {
namespace {

namespace fs = std::filesystem;

constexpr uintmax_t kCountedBytesMax = 256 << 20;
constexpr size_t kRowBytesMax = 1 << 20;
constexpr const char* kEndings[] = {".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson",
                                    ".json",  ".json.gz",  ".parquet"};
constexpr const char* kHeldOut[] = {"test", "eval",    "valid",    "validation", "val",
                                    "dev",  "heldout", "held_out", "evaluation", "held-out"};

std::string EndingOf(const std::string& name) {
  for (const char* ending : kEndings) {
    if (absl::EndsWith(name, ending)) return ending;
  }
  return "";
}

// Names that the test split of a training file often has, the most likely first.
std::vector<std::string> HeldOutNames(const std::string& name) {
  const std::string stem = name.substr(0, name.size() - EndingOf(name).size());
  std::vector<std::string> stems;
  for (const char* word : kHeldOut) {
    if (absl::StrContains(stem, "train")) {
      stems.push_back(absl::StrReplaceAll(stem, {{"train", word}}));
    } else {
      stems.push_back(absl::StrCat(stem, "_", word));
      stems.push_back(absl::StrCat(stem, "-", word));
    }
  }
  stems.insert(stems.end(), std::begin(kHeldOut), std::end(kHeldOut));
  std::vector<std::string> names;
  for (const std::string& candidate : stems) {
    for (const char* ending : kEndings) names.push_back(candidate + ending);
  }
  return names;
}

std::string FindHeldOut(const fs::path& train) {
  std::error_code error;
  for (const std::string& name : HeldOutNames(train.filename().string())) {
    const fs::path candidate = train.parent_path() / name;
    if (candidate != train && fs::is_regular_file(candidate, error)) return candidate.string();
  }
  return "";
}

// The first row of a file of lines; of a list, which may be long, its first object.
nlohmann::json FirstRow(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string head(kRowBytesMax, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(in.gcount()));
  const size_t begin = head.find_first_not_of(" \t\r\n[");
  if (begin == std::string::npos) return nullptr;
  if (head.find('[') < begin) {
    for (size_t end = head.find('}', begin); end != std::string::npos;
         end = head.find('}', end + 1)) {
      auto row = nlohmann::json::parse(head.substr(begin, end + 1 - begin), nullptr, false);
      if (!row.is_discarded()) return row;
    }
    return nullptr;
  }
  const std::string line = head.substr(begin, head.find('\n', begin) - begin);
  return nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
}

bool HasPlainStrings(const std::string& file) {
  const nlohmann::json row = FirstRow(file);
  return row.is_object() && row.contains("prompt") && row["prompt"].is_string() &&
         row.contains("chosen") && row["chosen"].is_string();
}

int64_t CountRows(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  int64_t rows = 0;
  for (std::string line; std::getline(in, line);) {
    rows += line.find_first_not_of(" \t\r") == std::string::npos ? 0 : 1;
  }
  return rows;
}

}  // namespace

absl::Status CheckDataFile(const std::string& path) {
  std::error_code is_no_folder;
  if (IsFilePattern(path) || fs::is_directory(path, is_no_folder)) {
    return ExpandDataFiles(path).status();
  }
  const std::string problem = MissingPathProblem({path, path}, PathWanted::kFile);
  std::error_code error;
  if (!problem.empty()) {
    return fs::exists(path, error) ? absl::InvalidArgumentError(problem)
                                   : absl::NotFoundError(problem);
  }
  return CheckDataFileName(path);
}

PromptFacts ReadPromptFacts(const std::string& file) {
  const nlohmann::json row = FirstRow(file);
  if (!row.is_object()) return {};
  const auto has = [&](const char* key) { return row.contains(key); };
  if (has("question_id") && has("turns") && row["turns"].is_array() && row["turns"].size() > 1) {
    return {"mt_bench", "its first row has question_id and several turns"};
  }
  if (has("uid") && has("prompt")) return {"arena_hard", "its first row has uid and prompt"};
  if (has("instruction") && has("generator")) {
    return {"alpaca_eval", "its first row has instruction and generator"};
  }
  return {};
}

DataFacts ReadDataFacts(const std::vector<std::string>& files) {
  DataFacts facts;
  if (files.empty()) return facts;
  facts.held_out = FindHeldOut(files.front());
  if (std::find(files.begin(), files.end(), facts.held_out) != files.end()) facts.held_out.clear();
  uintmax_t bytes = 0;
  for (const std::string& file : files) {
    std::error_code error;
    if (!absl::EndsWith(file, ".jsonl")) return facts;
    bytes += fs::file_size(file, error);
  }
  facts.plain_strings = HasPlainStrings(files.front());
  if (bytes > kCountedBytesMax) return facts;
  for (const std::string& file : files) facts.rows += CountRows(file);
  return facts;
}

}  // namespace fpo::ctl

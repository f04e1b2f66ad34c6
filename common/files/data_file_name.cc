#include "common/files/data_file_name.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace fpo {

absl::Status CheckDataFileName(const std::string& path) {
  absl::string_view name = path;
  if (absl::EndsWith(name, ".parquet")) {
    return absl::InvalidArgumentError(absl::StrCat(
        path,
        ": this build has no parquet reader; convert it to JSON lines, e.g. in Python "
        "datasets.load_dataset('parquet', data_files=...)['train'].to_json('train.jsonl')"));
  }
  absl::ConsumeSuffix(&name, ".gz");
  if (absl::EndsWith(name, ".jsonl") || absl::EndsWith(name, ".json")) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": unknown ending; data files are .jsonl, .jsonl.gz, .json or .json.gz"));
}

}  // namespace fpo

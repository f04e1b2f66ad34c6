#include "common/files/data_file_name.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace fpo {
namespace {

struct Remedy {
  const char *ending, *says;
};

constexpr Remedy kRemedies[] = {
    {".csv",
     "tables are not read; convert it to JSON lines, e.g. in Python "
     "datasets.load_dataset('csv', data_files=...)['train'].to_json('train.jsonl')"},
    {".xz", "files packed with xz are not read; unpack it, or pack it with zstd"},
    {".bz2", "files packed with bzip2 are not read; unpack it, or pack it with zstd"},
    {".zip", "archives are not read; unpack it"},
};

}  // namespace

bool IsTableFileName(absl::string_view path) {
  return absl::EndsWith(path, ".parquet") || absl::EndsWith(path, ".arrow");
}

absl::Status CheckDataFileName(const std::string& path) {
  for (const Remedy& remedy : kRemedies) {
    if (!absl::EndsWith(path, remedy.ending)) continue;
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", remedy.says));
  }
  if (IsTableFileName(path)) return absl::OkStatus();
  absl::string_view name = path;
  if (!absl::ConsumeSuffix(&name, ".gz")) absl::ConsumeSuffix(&name, ".zst");
  for (const char* ending : {".jsonl", ".ndjson", ".json"}) {
    if (absl::EndsWith(name, ending)) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": unknown ending; data files are ", kDataFileEndings));
}

}  // namespace fpo

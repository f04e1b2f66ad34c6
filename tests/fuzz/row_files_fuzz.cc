// A file of rows: lines or an array, plain, gzip or Zstandard.

#include <cstdint>
#include <string>

#include "common/text/utf8.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"
#include "train/rows/preference_dataset.h"
#include "train/rows/row_source.h"

namespace {

// Small inputs unpack to large ones.
constexpr int64_t kRowsMax = 1000;

void ReadRows(const std::string& path) {
  const auto source = fpo::train::RowSource::Open(path);
  if (!source.ok()) return;
  int64_t line = 1;
  for (int64_t rows = 0; rows < kRowsMax; ++rows) {
    const auto row = (*source)->Next();
    if (!row.ok() || !*row) return;
    FUZZ_CHECK((*row)->line >= line && (*row)->column >= 0);
    line = (*row)->line;
  }
}

}  // namespace

FUZZ_TARGET(row_files) {
  const std::string path = fpo::fuzz::WriteInput("rows.jsonl", fpo::fuzz::Text(data, size));
  ReadRows(path);
  fpo::train::DatasetOptions options;
  options.files = {path};
  options.max_bad_fraction = 1;
  int64_t rows = 0;
  const auto counts = ReadPreferenceRows(options, [&](fpo::train::PreferenceRow&& row) {
    FUZZ_CHECK(!row.where.empty());
    return ++rows < kRowsMax ? absl::OkStatus() : absl::CancelledError("enough");
  });
  if (!counts.ok()) return 0;
  FUZZ_CHECK(counts->rows >= counts->malformed + rows);
  for (const std::string& example : counts->malformed_examples) {
    FUZZ_CHECK(example.size() < 4000);
  }
  return 0;
}

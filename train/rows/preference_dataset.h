#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "train/rows/column_map.h"
#include "train/rows/preference_row.h"

namespace fpo::train {

// How rows are written.
struct RowFormat {
  // auto | preference | messages | transcript | ids; auto decides from each row's fields
  std::string name = "auto";
  ColumnMap columns;
};

struct DatasetOptions {
  // Read in this order: files, patterns (*.jsonl) or folders, as ExpandDataFiles takes them.
  std::vector<std::string> files;
  RowFormat format;
  double max_bad_fraction = 0.01;
};

struct DatasetCounts {
  int64_t rows = 0;
  int64_t malformed = 0;
  std::vector<std::string> malformed_examples;  // "train.jsonl:17: no field 'chosen'", at most 20
  // Problems, the most frequent first, each with its first place; at most 20 kinds.
  struct Fault {
    std::string what;
    std::string first;
    int64_t rows = 0;
  };
  std::vector<Fault> faults;
};

// Called for each row. An error stops the reading and is returned, except Cancelled, which stops it
// without an error.
using RowVisitor = std::function<absl::Status(PreferenceRow&&)>;

// Streams every well-formed row to `visit`. InvalidArgument when more than max_bad_fraction of the
// rows are malformed (with examples) or when the files hold no row at all.
absl::StatusOr<DatasetCounts> ReadPreferenceRows(const DatasetOptions& options,
                                                 const RowVisitor& visit);

// Parses one JSON row. InvalidArgument says which field is missing or of the wrong type, or why the
// text is not JSON: `*bad` is then the offset of the byte that shows it, else left alone. The
// caller sets `where` and `row`.
absl::StatusOr<PreferenceRow> ParsePreferenceRow(absl::string_view json, const RowFormat& format,
                                                 size_t* bad);
absl::StatusOr<PreferenceRow> ParsePreferenceRow(absl::string_view json, const std::string& format);

}  // namespace fpo::train

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

// A table of texts with a header, as RFC 4180 has it: quoted fields hold commas, doubled quotes and
// line ends.
struct CsvTable {
  std::map<std::string, size_t> columns;  // where each name of the header stands
  std::vector<std::vector<std::string>> rows;
  std::vector<int64_t> lines;  // where each row begins, from 1
};

// InvalidArgument, naming the line: no header, a name that it has twice, a row with another number
// of fields, a quote that does not end. `name` begins its messages.
absl::StatusOr<CsvTable> ParseCsv(absl::string_view text, absl::string_view name);

// Reads a file of at most 256 MiB. The errors of ReadFile too.
absl::StatusOr<CsvTable> ReadCsv(const std::string& path);

// Where the column stands; InvalidArgument names the file, the column and those that there are.
absl::StatusOr<size_t> ColumnOf(const CsvTable& table, const std::string& column,
                                absl::string_view name);

}  // namespace fpo::train

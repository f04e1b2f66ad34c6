#include "worker/trainer/data/preference_dataset.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "worker/trainer/data/row_source.h"

namespace fpo::train {
namespace {

constexpr size_t kMalformedExamplesMax = 20;
constexpr int64_t kEarlyCheckRows = 1000;

absl::Status TooManyBad(const DatasetCounts& counts, double max_bad_fraction) {
  return absl::InvalidArgumentError(absl::StrFormat(
      "%d of %d rows are malformed, more than data.max_bad_fraction = %g allows; e.g. %s",
      counts.malformed, counts.rows, max_bad_fraction,
      absl::StrJoin(
          counts.malformed_examples.begin(),
          counts.malformed_examples.begin() +
              static_cast<std::ptrdiff_t>(std::min<size_t>(counts.malformed_examples.size(), 5)),
          "; ")));
}

bool ExceedsBad(const DatasetCounts& counts, double max_bad_fraction) {
  return static_cast<double>(counts.malformed) >
         max_bad_fraction * static_cast<double>(counts.rows);
}

absl::Status ReadFile(const std::string& path, const DatasetOptions& options,
                      const RowVisitor& visit, DatasetCounts* counts) {
  FPO_ASSIGN_OR_RETURN(const auto source, RowSource::Open(path));
  const std::string name = std::filesystem::path(path).filename().string();
  while (true) {
    FPO_ASSIGN_OR_RETURN(auto text, source->Next());
    if (!text) return absl::OkStatus();
    const std::string where = absl::StrCat(name, ":", text->line);
    auto row = ParsePreferenceRow(text->text, options.format);
    ++counts->rows;
    if (!row.ok()) {
      ++counts->malformed;
      if (counts->malformed_examples.size() < kMalformedExamplesMax) {
        counts->malformed_examples.push_back(absl::StrCat(where, ": ", row.status().message()));
      }
      // A file of the wrong kind is refused early, not after all of it was read.
      if (counts->rows >= kEarlyCheckRows && counts->malformed > counts->rows / 2) {
        if (ExceedsBad(*counts, options.max_bad_fraction)) {
          return TooManyBad(*counts, options.max_bad_fraction);
        }
      }
      continue;
    }
    row->row = counts->rows - 1;
    row->where = where;
    FPO_RETURN_IF_ERROR(visit(*std::move(row)));
  }
}

}  // namespace

absl::StatusOr<DatasetCounts> ReadPreferenceRows(const DatasetOptions& options,
                                                 const RowVisitor& visit) {
  DatasetCounts counts;
  for (const std::string& file : options.files) {
    const absl::Status status = ReadFile(file, options, visit, &counts);
    if (absl::IsCancelled(status)) break;
    FPO_RETURN_IF_ERROR(status);
  }
  if (counts.rows == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("no rows in ", absl::StrJoin(options.files, ", ")));
  }
  if (ExceedsBad(counts, options.max_bad_fraction)) {
    return TooManyBad(counts, options.max_bad_fraction);
  }
  return counts;
}

}  // namespace fpo::train

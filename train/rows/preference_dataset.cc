#include "train/rows/preference_dataset.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/files/data_files.h"
#include "common/status_macros.h"
#include "common/text/utf8.h"
#include "train/rows/row_form.h"
#include "train/rows/row_source.h"

namespace fpo::train {
namespace {

constexpr size_t kFaultsKept = 20;
constexpr size_t kFaultsShown = 3;
constexpr absl::string_view kNotUtf8 = "not UTF-8";
constexpr int64_t kEarlyCheckRows = 1000;

absl::Status TooManyBad(DatasetCounts counts, double max_bad_fraction) {
  std::stable_sort(counts.faults.begin(), counts.faults.end(),
                   [](const auto& a, const auto& b) { return a.rows > b.rows; });
  std::vector<std::string> lines;
  bool foreign = false;
  for (size_t i = 0; i < counts.faults.size() && i < kFaultsShown; ++i) {
    const DatasetCounts::Fault& fault = counts.faults[i];
    lines.push_back(absl::StrCat(
        fault.first, fault.rows > 1 ? absl::StrCat(" and ", fault.rows - 1, " more") : "", ": ",
        fault.what));
    foreign |= absl::StrContains(fault.what, "the row has ");
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "%d of %d rows are malformed, more than data.max_bad_fraction = %g allows; %s%s%s",
      counts.malformed, counts.rows, max_bad_fraction, absl::StrJoin(lines, "; "),
      foreign ? "; " : "", foreign ? kAcceptedForms : ""));
}

// "byte 35 of line 17": where the byte at this offset of a row stands in its file.
std::string Place(const RowText& row, size_t offset) {
  const absl::string_view before = absl::string_view(row.text).substr(0, offset);
  const size_t line_end = before.rfind('\n');
  const int64_t line = row.line + std::count(before.begin(), before.end(), '\n');
  const int64_t byte = line_end == absl::string_view::npos
                           ? row.column + static_cast<int64_t>(offset)
                           : static_cast<int64_t>(offset - line_end - 1);
  return absl::StrFormat("byte %d of line %d", byte + 1, line);
}

// Where and why the text is not UTF-8; "not JSON" would hide the cause.
std::string NotUtf8(const RowText& row, size_t bad) {
  if (!row.is_written) {
    return absl::StrFormat("%s: one of its texts has the byte 0x%02X", kNotUtf8,
                           static_cast<uint8_t>(row.text[bad]));
  }
  const bool wide =
      absl::StartsWith(row.text, "\xFF\xFE") || absl::StartsWith(row.text, "\xFE\xFF");
  return absl::StrFormat("%s at %s (0x%02X); convert the file, e.g. iconv -f %s -t UTF-8", kNotUtf8,
                         Place(row, bad), static_cast<uint8_t>(row.text[bad]),
                         wide ? "UTF-16" : "LATIN1");
}

// Why a row is malformed, with the place where a parser stumbled.
std::string FaultOf(const RowText& row, const absl::Status& status, size_t bad) {
  const size_t not_utf8 = FirstInvalidUtf8(row.text);
  if (not_utf8 != row.text.size()) return NotUtf8(row, not_utf8);
  if (bad == absl::string_view::npos || !row.is_written) return std::string(status.message());
  return absl::StrCat(status.message(), " (", Place(row, bad), ")");
}

bool IsPlaced(absl::string_view what) {
  return absl::StartsWith(what, kNotUtf8) || absl::StartsWith(what, "not JSON");
}
absl::string_view FaultKind(absl::string_view what) { return what.substr(0, 8); }

void NoteFault(const std::string& where, const std::string& what, DatasetCounts* counts) {
  ++counts->malformed;
  if (counts->malformed_examples.size() < kFaultsKept) {
    counts->malformed_examples.push_back(absl::StrCat(where, ": ", what));
  }
  for (DatasetCounts::Fault& fault : counts->faults) {
    // Faults of one kind differ in their place: a file in another encoding has many of them.
    const bool same =
        fault.what == what || (IsPlaced(what) && FaultKind(what) == FaultKind(fault.what));
    if (!same) continue;
    ++fault.rows;
    return;
  }
  if (counts->faults.size() < kFaultsKept) counts->faults.push_back({what, where, 1});
}

bool ExceedsBad(const DatasetCounts& counts, double max_bad_fraction) {
  return static_cast<double>(counts.malformed) >
         max_bad_fraction * static_cast<double>(counts.rows);
}

absl::Status ReadDataFile(const std::string& path, const DatasetOptions& options,
                          const RowVisitor& visit, DatasetCounts* counts) {
  FPO_ASSIGN_OR_RETURN(const auto source, RowSource::Open(path));
  const std::string name = std::filesystem::path(path).filename().string();
  while (true) {
    FPO_ASSIGN_OR_RETURN(auto text, source->Next());
    if (!text) return absl::OkStatus();
    const std::string where = absl::StrCat(name, ":", text->line);
    size_t bad = absl::string_view::npos;
    auto row = ParsePreferenceRow(text->text, options.format, &bad);
    ++counts->rows;
    if (!row.ok()) {
      NoteFault(where, FaultOf(*text, row.status(), bad), counts);
      // Rejects a file of the wrong kind early, instead of reading all of it.
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
  std::vector<std::string> files;
  for (const std::string& entry : options.files) {
    FPO_ASSIGN_OR_RETURN(const std::vector<std::string> some, ExpandDataFiles(entry));
    files.insert(files.end(), some.begin(), some.end());
  }
  for (const std::string& file : files) {
    const absl::Status status = ReadDataFile(file, options, visit, &counts);
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

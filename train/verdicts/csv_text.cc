#include "train/verdicts/csv_text.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

constexpr int64_t kCsvBytesMax = int64_t{256} << 20;

// Reads one record after another.
class CsvReader {
 public:
  CsvReader(absl::string_view text, absl::string_view name) : text_(text), name_(name) {}

  bool AtEnd() const { return at_ == text_.size(); }
  int64_t line() const { return line_; }

  absl::Status Wrong(int64_t line, absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(name_, ":", line, ": ", what));
  }

  absl::StatusOr<std::vector<std::string>> Next() {
    std::vector<std::string> fields;
    while (true) {
      FPO_ASSIGN_OR_RETURN(std::string field, Field());
      fields.push_back(std::move(field));
      if (AtEnd()) return fields;
      const char end = text_[at_++];
      if (end == ',') continue;
      if (end == '\r' && !AtEnd() && text_[at_] == '\n') ++at_;
      ++line_;
      return fields;
    }
  }

 private:
  absl::StatusOr<std::string> Field() {
    if (AtEnd() || text_[at_] != '"') {
      const size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
      std::string field(text_.substr(at_, end - at_));
      at_ = end;
      return field;
    }
    return Quoted();
  }

  absl::StatusOr<std::string> Quoted() {
    const int64_t begin = line_;
    std::string field;
    for (++at_; !AtEnd(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        if (AtEnd() || text_[at_] != '"') return Ended(begin, std::move(field));
      }
      line_ += text_[at_] == '\n' ? 1 : 0;
      field.push_back(text_[at_]);
    }
    return Wrong(begin, "a quote begins here and does not end");
  }

  absl::StatusOr<std::string> Ended(int64_t line, std::string field) const {
    if (AtEnd() || text_[at_] == ',' || text_[at_] == '\r' || text_[at_] == '\n') return field;
    return Wrong(line, "text follows the end of a quoted field");
  }

  const absl::string_view text_;
  const absl::string_view name_;
  size_t at_ = 0;
  int64_t line_ = 1;
};

}  // namespace

absl::StatusOr<CsvTable> ParseCsv(absl::string_view text, absl::string_view name) {
  CsvReader reader(text, name);
  if (reader.AtEnd()) return reader.Wrong(1, "the file is empty; a header is expected");
  CsvTable table;
  FPO_ASSIGN_OR_RETURN(const std::vector<std::string> header, reader.Next());
  for (size_t i = 0; i < header.size(); ++i) {
    if (table.columns.emplace(header[i], i).second) continue;
    return reader.Wrong(1, absl::StrCat("the header has \"", header[i], "\" twice"));
  }
  while (!reader.AtEnd()) {
    const int64_t line = reader.line();
    FPO_ASSIGN_OR_RETURN(std::vector<std::string> row, reader.Next());
    if (row.size() == 1 && row[0].empty()) continue;  // a blank line
    if (row.size() != header.size()) {
      return reader.Wrong(
          line, absl::StrCat(row.size(), " fields, where the header has ", header.size()));
    }
    table.rows.push_back(std::move(row));
    table.lines.push_back(line);
  }
  return table;
}

absl::StatusOr<CsvTable> ReadCsv(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kCsvBytesMax));
  return ParseCsv(text, path);
}

absl::StatusOr<size_t> ColumnOf(const CsvTable& table, const std::string& column,
                                absl::string_view name) {
  const auto found = table.columns.find(column);
  if (found != table.columns.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, place] : table.columns) names.push_back(absl::StrCat("\"", known, "\""));
  return absl::InvalidArgumentError(
      absl::StrCat(name, " has no column \"", column, "\"; it has ", absl::StrJoin(names, ", ")));
}

}  // namespace fpo::train

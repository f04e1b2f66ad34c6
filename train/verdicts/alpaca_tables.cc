#include "train/verdicts/alpaca_tables.h"

#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/files/posix_status.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "train/verdicts/csv_text.h"

namespace fpo::train {
namespace {

constexpr int64_t kTableBytesMax = int64_t{256} << 20;
constexpr size_t kInstructionsMax = 1'000'000;
// Of tatsu-lab/alpaca_eval at its revision 2edc6fad.
constexpr char kPublishedDigest[] =
    "97aeec3f1c7de6dee6fd31fe66f1702623f4614c3efe1c6fc5f4927cd5fd674d";

// The cells of one column as finite numbers.
class NumberColumn {
 public:
  static absl::StatusOr<NumberColumn> Find(const CsvTable& table, const std::string& column,
                                           const std::string& path) {
    FPO_ASSIGN_OR_RETURN(const size_t place, ColumnOf(table, column, path));
    return NumberColumn{table, column, path, place};
  }

  absl::StatusOr<double> At(size_t row) const {
    const std::string& cell = table_.rows[row][place_];
    double value = 0;
    if (absl::SimpleAtod(cell, &value) && std::isfinite(value)) return value;
    return Wrong(row, absl::StrCat("\"", cell, "\" is no finite number"));
  }
  absl::Status Wrong(size_t row, absl::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ":", table_.lines[row], ": ", column_, ": ", what));
  }

 private:
  NumberColumn(const CsvTable& table, std::string column, const std::string& path, size_t place)
      : table_(table), column_(std::move(column)), path_(path), place_(place) {}

  const CsvTable& table_;
  const std::string column_;
  const std::string& path_;
  const size_t place_;
};

// Takes the difficulties of rows in any order, each instruction's possibly several times.
class DifficultyList {
 public:
  absl::Status Take(const NumberColumn& index, const NumberColumn& difficulty, size_t row) {
    FPO_ASSIGN_OR_RETURN(const double place, index.At(row));
    FPO_ASSIGN_OR_RETURN(const double value, difficulty.At(row));
    if (place < 0 || place >= kInstructionsMax || place != std::floor(place)) {
      return index.Wrong(row, absl::StrCat(place, " is no place in a list"));
    }
    const auto at = static_cast<size_t>(place);
    if (at >= values_.size()) values_.resize(at + 1);
    if (values_[at] && *values_[at] != value) {
      return difficulty.Wrong(row, absl::StrCat("instruction ", at, " is ", value, " here and ",
                                                *values_[at], " before"));
    }
    values_[at] = value;
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<double>> Complete(const std::string& path) const {
    std::vector<double> result;
    for (const std::optional<double>& value : values_) {
      if (!value) {
        return absl::InvalidArgumentError(
            absl::StrCat(path, ": no row has the difficulty of instruction ", result.size()));
      }
      result.push_back(*value);
    }
    if (result.empty()) return absl::InvalidArgumentError(absl::StrCat(path, " has no row"));
    return result;
  }

 private:
  std::vector<std::optional<double>> values_;
};

bool IsFalseCell(const std::string& cell) {
  return cell == "False" || cell == "false" || cell == "0";
}

}  // namespace

absl::StatusOr<AlpacaCalibration> ReadAlpacaCalibration(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kTableBytesMax));
  FPO_ASSIGN_OR_RETURN(const CsvTable table, ParseCsv(text, path));
  FPO_ASSIGN_OR_RETURN(const auto index, NumberColumn::Find(table, "index", path));
  FPO_ASSIGN_OR_RETURN(const auto difficulty,
                       NumberColumn::Find(table, "instruction_difficulty", path));
  FPO_ASSIGN_OR_RETURN(const auto length, NumberColumn::Find(table, "std_delta_len", path));
  FPO_ASSIGN_OR_RETURN(const auto preference, NumberColumn::Find(table, "preference", path));
  FPO_ASSIGN_OR_RETURN(const size_t not_gamed, ColumnOf(table, "not_gamed_baseline", path));
  AlpacaCalibration result;
  DifficultyList difficulties;
  for (size_t row = 0; row < table.rows.size(); ++row) {
    FPO_RETURN_IF_ERROR(difficulties.Take(index, difficulty, row));
    if (!IsFalseCell(table.rows[row][not_gamed])) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ":", table.lines[row], ": not_gamed_baseline: it is \"", table.rows[row][not_gamed],
          "\"; this table holds the gamed models only, with False"));
    }
    GamedRow gamed;
    FPO_ASSIGN_OR_RETURN(gamed.preference, preference.At(row));
    FPO_ASSIGN_OR_RETURN(gamed.standard_difference, length.At(row));
    FPO_ASSIGN_OR_RETURN(gamed.difficulty, difficulty.At(row));
    if (gamed.preference < 0 || gamed.preference > 1) {
      return preference.Wrong(row, absl::StrCat(gamed.preference, " is outside 0 to 1"));
    }
    result.gamed.push_back(gamed);
  }
  FPO_ASSIGN_OR_RETURN(result.difficulties, difficulties.Complete(path));
  result.digest = ToHex(Sha256Of(text));
  result.is_published = result.digest == kPublishedDigest;
  return result;
}

absl::StatusOr<std::map<std::string, LengthControlWeights>> ReadLengthControlWeights(
    const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const CsvTable table, ReadCsv(path));
  FPO_ASSIGN_OR_RETURN(const size_t name, ColumnOf(table, "", path));
  FPO_ASSIGN_OR_RETURN(const auto length,
                       NumberColumn::Find(table, "np.tanh(std_delta_len)", path));
  FPO_ASSIGN_OR_RETURN(const auto difficulty,
                       NumberColumn::Find(table, "instruction_difficulty", path));
  FPO_ASSIGN_OR_RETURN(const auto model,
                       NumberColumn::Find(table, "not_gamed_baseline.astype(float)", path));
  std::map<std::string, LengthControlWeights> weights;
  for (size_t row = 0; row < table.rows.size(); ++row) {
    LengthControlWeights& entry = weights[table.rows[row][name]];
    FPO_ASSIGN_OR_RETURN(entry.length, length.At(row));
    FPO_ASSIGN_OR_RETURN(entry.difficulty, difficulty.At(row));
    FPO_ASSIGN_OR_RETURN(entry.model, model.At(row));
  }
  return weights;
}

}  // namespace fpo::train

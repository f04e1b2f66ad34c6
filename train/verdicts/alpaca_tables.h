#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/evaluation/length_control.h"

namespace fpo::train {

// The tables that AlpacaEval publishes beside its code; none of them is part of this project.

// df_gamed.csv: the difficulty of each instruction, by its place in the set of instructions, and
// the judged rows of the gamed models.
struct AlpacaCalibration {
  std::vector<double> difficulties;
  std::vector<GamedRow> gamed;
  std::string digest;        // SHA-256 of the file, in hex
  bool is_published = true;  // the file that AlpacaEval 2 uses since 2024, by its digest
};
// The errors of ReadCsv; InvalidArgument names file, line and column of what is no number or out of
// range, an instruction without difficulty or with two, and a row that is not of a gamed model.
absl::StatusOr<AlpacaCalibration> ReadAlpacaCalibration(const std::string& path);

// Fitted weights by model, as AlpacaEval stores them: a first column without a name, then
// np.tanh(std_delta_len), instruction_difficulty, not_gamed_baseline.astype(float).
absl::StatusOr<std::map<std::string, LengthControlWeights>> ReadLengthControlWeights(
    const std::string& path);

}  // namespace fpo::train

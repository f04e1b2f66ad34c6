#include "train/objective/evaluation_file.h"

#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/files/durable_file.h"
#include "common/status_macros.h"
#include "train/data/pair_identity.h"
#include "train/events/exit_status.h"

namespace fpo::train {

namespace {

absl::Status WriteLines(const std::string& path, const TokenFile& pairs, const PairValues& values) {
  FPO_RETURN_IF_ERROR(MakeParentFolder(path));
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<DurableFile> file, DurableFile::Create(path));
  for (int64_t i = 0; i < values.size(); ++i) {
    nlohmann::ordered_json line;
    line["index"] = i;
    if (const std::string id = pairs.row_id(i); !id.empty()) line["id"] = id;
    line["row"] = pairs.pair(i).row;
    line["pair"] = PairName(pairs.pair(i));
    for (int f = 0; f < PairValues::kFieldCount; ++f) {
      const auto field = static_cast<PairValues::Field>(f);
      if (const auto value = values.Get(field, i)) line[PairValues::Name(field)] = *value;
    }
    FPO_RETURN_IF_ERROR(file->Append(line.dump() + "\n"));
  }
  return file->Finish();
}

}  // namespace

std::string EvaluationFileOf(const std::string& out, int64_t step, const std::string& set) {
  return absl::StrCat(out, "/evaluations/", set, set.empty() ? "" : "/", "step-", step, ".jsonl");
}

absl::Status WriteEvaluationFile(const std::string& path, const TokenFile& pairs,
                                 const PairValues& values) {
  return AsStorageError(WriteLines(path, pairs, values));
}

}  // namespace fpo::train

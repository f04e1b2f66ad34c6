#include "train/judge/judge_output.h"

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/durable_file.h"
#include "common/status_macros.h"
#include "train/events/exit_status.h"

namespace fpo::train {

std::string SummaryPath(const std::string& out) { return out + ".summary.json"; }

absl::Status CheckJudgeOut(const std::string& out, const std::vector<std::string>& inputs) {
  std::error_code error;
  for (const std::string& input : inputs) {
    if (std::filesystem::equivalent(input, out, error)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--out ", out, " is one of the files of answers"));
    }
  }
  if (std::filesystem::exists(out, error) && !std::filesystem::exists(SummaryPath(out), error)) {
    return absl::AlreadyExistsError(
        absl::StrCat(out, " exists and has no ", SummaryPath(out),
                     " beside it, so it is not overwritten; name another --out"));
  }
  return absl::OkStatus();
}

absl::Status MakeFolderOf(const std::string& out) {
  const std::filesystem::path parent = std::filesystem::path(out).parent_path();
  std::error_code error;
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (!error) return absl::OkStatus();
  return FailWith(ExitCode::kStorage,
                  absl::StrCat("cannot create ", parent.string(), ": ", error.message()));
}

absl::Status WriteJudgeOut(const std::string& out, const std::string& summary,
                           const std::vector<std::string>& rows) {
  // First: what lies beside a summary may be overwritten.
  FPO_RETURN_IF_ERROR(AsStorageError(WriteFileAtomically(SummaryPath(out), summary)));
  const std::string text = absl::EndsWith(out, ".json")
                               ? absl::StrCat("[\n", absl::StrJoin(rows, ",\n"), "\n]\n")
                               : absl::StrCat(absl::StrJoin(rows, "\n"), "\n");
  return AsStorageError(WriteFileAtomically(out, text));
}

}  // namespace fpo::train

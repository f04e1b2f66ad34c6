#include "ctl/jobs/input_trial.h"

#include "absl/strings/str_cat.h"
#include "common/job/job_file.h"
#include "common/status_macros.h"
#include "ctl/jobs/trainer_call.h"

namespace fpo::ctl {

absl::StatusOr<InputCheck> TryInputs(const std::string& trainer, const JobConfig& config,
                                     absl::Duration timeout) {
  FPO_ASSIGN_OR_RETURN(
      const std::string result,
      CallTrainer(trainer, {"prepare", "--job", "-", "--check", "--json", "--device", "cpu"},
                  WriteJobJson(config), timeout));
  absl::StatusOr<InputCheck> check = ParseInputCheck(result);
  if (check.ok()) return check;
  return absl::UnavailableError(absl::StrCat(trainer, " gave no result"));
}

}  // namespace fpo::ctl

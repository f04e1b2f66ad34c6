#include "worker/config.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "common/rpc/security/peer_address.h"
#include "common/status_macros.h"
#include "common/text/worker_name.h"

namespace fpo::worker {
namespace {

absl::Status Require(bool holds, const std::string& message) {
  return holds ? absl::OkStatus() : absl::InvalidArgumentError(message);
}

}  // namespace

absl::Status WorkerConfig::Validate() const {
  FPO_RETURN_IF_ERROR(ValidateListen(listen));
  FPO_RETURN_IF_ERROR(AboutFlag("--coordinator", CheckPeerAddress(coordinator)));
  FPO_RETURN_IF_ERROR(AboutFlag("--cache", CheckPeerAddress(cache)));
  FPO_RETURN_IF_ERROR(Require(!work_dir.empty(),
                              "--work-dir is missing: a folder for jobs, "
                              "records and unsent logs"));
  FPO_RETURN_IF_ERROR(
      Require(IsWorkerName(name),
              absl::StrCat("--name: \"", name,
                           "\" must be 1 to 253 of letters, digits, '.', '_' and '-'")));
  FPO_RETURN_IF_ERROR(Require(slots >= 1 && slots <= 1024,
                              absl::StrCat("--slots: ", slots, " is not between 1 and 1024")));
  FPO_RETURN_IF_ERROR(Require(grace >= absl::ZeroDuration() && grace <= absl::Hours(1),
                              "--grace must lie between 0s and 1h"));
  FPO_RETURN_IF_ERROR(Require(device == "auto" || device == "cpu" || device == "cuda",
                              absl::StrCat("--device: \"", device, "\" is not auto, cpu or cuda")));
  FPO_RETURN_IF_ERROR(
      Require(cgroup == "auto" || cgroup == "off" || cgroup.rfind('/', 0) == 0,
              absl::StrCat("--cgroup: \"", cgroup, "\" is not auto, off or an absolute path")));
  FPO_RETURN_IF_ERROR(Require(memory_max_mib == 0 || cgroup != "off",
                              "--memory-max-mib needs a cgroup; leave out --cgroup off"));
  return Require(
      access(trainer.c_str(), X_OK) == 0,
      absl::StrCat("--trainer: ", trainer,
                   " is not a program that this user may run; build fpo-train or give its "
                   "path"));
}

}  // namespace fpo::worker

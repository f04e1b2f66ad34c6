#include "train/join_ranks.h"

#include <iostream>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "train/collective/c10d_process_group.h"
#include "train/collective/single_process_group.h"
#include "train/events/exit_status.h"

namespace fpo::train {

absl::StatusOr<std::unique_ptr<ProcessGroup>> JoinRanks(const Flags& flags, at::Device device) {
  std::unique_ptr<ProcessGroup> single = std::make_unique<SingleProcessGroup>();
  if (flags.world_size == 1) return single;
  C10dOptions options;
  options.rank = flags.rank;
  options.world = flags.world_size;
  options.device = device;
  options.timeout = absl::Seconds(flags.rank_timeout_seconds);
  // Not an event: those are rank 0's, and a wait is not progress. The agent logs each rank's lines.
  options.barrier.report = [](const std::string& line) {
    std::cerr << "fpo-train: " << line << std::endl;
  };
  const size_t colon = flags.rendezvous.rfind(':');
  options.host = flags.rendezvous.substr(0, colon);
  if (colon == std::string::npos || options.host.empty() ||
      !absl::SimpleAtoi(flags.rendezvous.substr(colon + 1), &options.port)) {
    return FailWith(ExitCode::kUsage,
                    absl::StrCat("--rendezvous ", flags.rendezvous, " is not HOST:PORT"));
  }
  auto group = JoinC10d(options);
  // Without this library no rank of this host can join.
  const bool no_library = absl::IsNotFound(group.status()) || absl::IsUnimplemented(group.status());
  if (no_library) return FailWith(ExitCode::kDevice, group.status().message());
  return group;
}

}  // namespace fpo::train

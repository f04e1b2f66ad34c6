#include "worker/core/process/rank_group.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"

namespace fpo::worker {
namespace {

constexpr absl::Duration kGraceOfOthers = absl::Seconds(5);
constexpr absl::Duration kLook = absl::Milliseconds(50);

struct RunningRank {
  RankProcess* process;
  int32_t rank;
};

PhaseEnd NotStarted(const std::string& name, const absl::Status& status) {
  if (absl::IsCancelled(status)) return {EndClass::kAsked, std::string(status.message())};
  return {EndClass::kInfrastructure, absl::StrCat(name, ": ", status.message()),
          /*host_fault=*/true};
}

PhaseEnd Failure(const RankGroup& group, int32_t rank, const RankExit& exit) {
  PhaseEnd end{EndClassOf(exit),
               absl::StrCat(group.name, ", rank ", rank, ": ", DescribeExit(exit)),
               IsDeviceFault(exit)};
  const std::string last = group.output->LastOutput(rank);
  if (!last.empty()) absl::StrAppend(&end.message, ": ", last);
  return end;
}

}  // namespace

GroupEnd RunRankGroup(const RankGroup& group, const std::vector<RankCommand>& commands,
                      ProcessSet* processes) {
  GroupEnd result;
  group.output->ForgetOutput();
  std::vector<RunningRank> running;
  const auto fail = [&](PhaseEnd end) {
    if (!result.end.ok()) return;  // only the first failure is reported
    result.end = std::move(end);
    processes->Stop(kGraceOfOthers);
  };
  for (const RankCommand& command : commands) {
    const absl::StatusOr<RankProcess*> process = processes->Start(command, *group.sink);
    if (!process.ok()) {
      fail(NotStarted(group.name, process.status()));
      break;
    }
    running.push_back({*process, command.identity.rank});
  }
  while (!running.empty()) {
    const absl::Duration silent = BootNow() - group.output->last_heard();
    if (group.stall_timeout > absl::ZeroDuration() && silent > group.stall_timeout) {
      fail({EndClass::kInfrastructure,
            absl::StrCat(group.name, ": silent for ", absl::FormatDuration(group.stall_timeout),
                         ", taken for hung")});
    }
    for (size_t i = 0; i < running.size();) {
      RankExit exit;
      if (!running[i].process->WaitFor(kLook, &exit)) {
        ++i;
        continue;
      }
      processes->Wait(running[i].process);
      if (!exit.gone) result.survived_kill = true;
      if (EndClassOf(exit) != EndClass::kDone) fail(Failure(group, running[i].rank, exit));
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  return result;
}

}  // namespace fpo::worker

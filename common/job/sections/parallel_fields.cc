#include "common/job/sections/parallel_fields.h"

#include "absl/strings/str_cat.h"

namespace fpo {

JobEntry ParallelEntry(ParallelSection* s) {
  JobField shard = {"shard",
                    &s->shard,
                    "what each rank keeps a share of; gradients: also the optimizer's state",
                    {"auto", "none", "optimizer", "gradients"}};
  shard.unwritten = "\"auto\"";
  return {JobEntry::Kind::kSection,
          "parallel",
          "how several ranks share the work; one rank keeps everything",
          {shard}};
}

std::vector<JobProblem> ParallelProblems(const JobConfig& config) {
  const bool trains = config.kind == "train";
  if (trains || config.parallel.shard == "auto") return {};
  return {
      {0, "parallel.shard", absl::StrCat("kind ", config.kind, " trains nothing: leave it out")}};
}

}  // namespace fpo

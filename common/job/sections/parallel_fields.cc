#include "common/job/sections/parallel_fields.h"

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

}  // namespace fpo

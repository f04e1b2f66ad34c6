#include "train/plan/plan_changes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "train/loss/preference_loss.h"
#include "train/reference/reference_plan.h"

namespace fpo::train {
namespace {

struct Change {
  std::string setting, price;
  JobConfig job;
};

// In the order in which they are to be tried.
class Changes {
 public:
  explicit Changes(const JobConfig& job) : job_(job) {}

  template <typename Fn>
  void Add(const std::string& setting, const std::string& price, const Fn& change) {
    all_.push_back({setting, price, job_});
    change(&all_.back().job);
  }
  const std::vector<Change>& all() const { return all_; }

 private:
  const JobConfig& job_;
  std::vector<Change> all_;
};

bool CanUseRecords(const JobConfig& job) {
  const auto method = ParseMethod(job.method.name);
  return job.reference.source == "online" && method.ok() && !NeedsKl(*method);
}

Changes ChangesOf(const JobConfig& job, int64_t layers) {
  Changes changes(job);
  if (job.checkpoint.background && job.checkpoint.every_steps > 0) {
    changes.Add("checkpoint.background=false", "training waits while a checkpoint is written",
                [](JobConfig* j) { j->checkpoint.background = false; });
  }
  if (CanUseRecords(job)) {
    changes.Add("reference.source=cached", "nothing: the same values, from records",
                [](JobConfig* j) { j->reference.source = "cached"; });
  }
  for (int64_t tokens = job.batch.tokens_per_microbatch / 2; tokens >= 512; tokens /= 2) {
    changes.Add(absl::StrCat("batch.tokens_per_microbatch=", tokens),
                "the same sums in more pieces; somewhat slower",
                [tokens](JobConfig* j) { j->batch.tokens_per_microbatch = tokens; });
  }
  if (!job.activation_checkpointing) {
    const int64_t already = job.activation_checkpointing_layers.value_or(0);
    for (const int64_t quarters : {1, 2, 3}) {
      const int64_t some = layers * quarters / 4;
      if (some <= already) continue;
      changes.Add(
          absl::StrCat("activation_checkpointing_layers=", some),
          absl::StrCat("the forward pass of ", some, " of ", layers, " layers is computed twice"),
          [some](JobConfig* j) { j->activation_checkpointing_layers = some; });
    }
    changes.Add("activation_checkpointing=true",
                "each forward pass is computed twice, about a third more time", [](JobConfig* j) {
                  j->activation_checkpointing = true;
                  j->activation_checkpointing_layers.reset();
                });
  }
  if (job.evaluate.pairs > job.batch.pairs) {
    changes.Add(absl::StrCat("evaluate.pairs=", job.batch.pairs), "evaluations are of fewer pairs",
                [](JobConfig* j) { j->evaluate.pairs = j->batch.pairs; });
  }
  if (job.kind == "train" && job.resources.slots > 1 && job.parallel.shard != "gradients") {
    changes.Add("parallel.shard=gradients",
                "gradients leave with each micro-batch: as many times the traffic between ranks",
                [](JobConfig* j) { j->parallel.shard = "gradients"; });
  }
  if (job.model.dtype == "float32") {
    changes.Add("model.dtype=bfloat16",
                "weights and activations are rounded; a processor without "
                "instructions for it is much slower",
                [](JobConfig* j) { j->model.dtype = "bfloat16"; });
  }
  if (job.optimizer.name != "rmsprop") {
    changes.Add("optimizer.name=rmsprop",
                "another optimiser, which needs a learning rate of its own",
                [](JobConfig* j) { j->optimizer.name = "rmsprop"; });
  }
  if (job.kind == "train" && !job.adapter.on()) {
    changes.Add("adapter.kind=lora",
                "low-rank matrices are trained, not the weights, with a learning rate ten to a "
                "hundred times as large",
                [](JobConfig* j) { j->adapter.kind = "lora"; });
  }
  if (job.kind == "train" && job.adapter.kind != "qlora") {
    changes.Add("adapter.kind=qlora",
                "as lora, beside weights of 4 bits: the reference is that model, with records of "
                "its own, and each product makes its weight dense first",
                [](JobConfig* j) { j->adapter.kind = "qlora"; });
  }
  return changes;
}

}  // namespace

std::vector<PlanChange> ChangesFor(const JobConfig& job, const ChangeTarget& target,
                                   const PlanOf& plan) {
  const auto now = plan(job);
  const auto size = [&target](const std::vector<PhaseMemory>& phases) {
    return target.on_device ? DeviceBytes(phases) : HostBytes(phases);
  };
  std::vector<PlanChange> useful;
  int64_t least_micro_batch = size(now);
  const Changes changes = ChangesOf(job, target.layers);
  for (const Change& change : changes.all()) {
    const std::vector<PhaseMemory> then = plan(change.job);
    const bool cuts = change.job.batch.tokens_per_microbatch < job.batch.tokens_per_microbatch;
    // Less than a hundredth is not worth a setting.
    const int64_t before = cuts ? least_micro_batch : size(now);
    if (size(then) + size(now) / 100 > before) continue;
    if (cuts) least_micro_batch = size(then);
    useful.push_back({change.setting, change.price, HostBytes(then), DeviceBytes(then)});
  }
  return useful;
}

}  // namespace fpo::train

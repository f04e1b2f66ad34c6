#include "tests/train/support/float64_run.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "tests/train/support/free_port.h"
#include "tests/train/support/ranks_as_threads.h"
#include "train/collective/c10d_process_group.h"
#include "train/collective/single_process_group.h"
#include "train/formats/sae_files.h"
#include "train/loop/trainer.h"
#include "train/reference/online_reference.h"
#include "train/runs/run_inputs.h"

namespace fpo::train {
namespace {

// Rank `rank` of `world`, which meet at `port`.
struct Place {
  int64_t rank;
  int64_t world;
  int port;
  bool in_float64;
};

struct RankResult {
  Trajectory trajectory;
  std::vector<EventMetrics> steps;
};

absl::StatusOr<std::unique_ptr<ProcessGroup>> Join(const Place& place) {
  if (place.world == 1) return std::make_unique<SingleProcessGroup>();
  C10dOptions options;
  options.rank = place.rank;
  options.world = place.world;
  options.port = place.port;
  options.timeout = absl::Seconds(60);
  return JoinC10d(options);
}

// Everything the steps compute with.
absl::StatusOr<RunInputs> LoadInputs(const TinyRun& tiny, const JobConfig& job, bool in_float64) {
  RecordingSink events;
  RunInputOptions options;
  options.prepared = tiny.Path("prepared");
  options.reference = "online";
  FPO_ASSIGN_OR_RETURN(RunInputs inputs, LoadRunInputs(job, options, events));
  if (!in_float64) return inputs;
  inputs.policy.model = InFloat64(inputs.policy.model);
  inputs.policy.model.SetRequiresGrad(true);
  for (LoadedSae& sae : inputs.objective.saes) sae = InFloat64(sae);
  FPO_ASSIGN_OR_RETURN(const LoadedModel reference, LoadModel({job.reference.path}));
  inputs.reference =
      std::make_unique<OnlineReference>(InFloat64(reference.model), inputs.objective.saes);
  return inputs;
}

absl::StatusOr<RankResult> TrainRank(const TinyRun& tiny, const JobConfig& job,
                                     const Place& place) {
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<ProcessGroup> group, Join(place));
  FPO_ASSIGN_OR_RETURN(RunInputs inputs, LoadInputs(tiny, job, place.in_float64));
  // One folder a rank: the check that it can be written counts on one rank a process.
  const std::string out = absl::StrCat("float64-", RandomId(6));
  FPO_ASSIGN_OR_RETURN(const RunFolder folder, RunFolder::Open(tiny.Path(out), job, false));
  RecordingSink events;
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> trainer,
                       Trainer::Create(job, inputs, folder, {events, nullptr, *group}));
  FPO_RETURN_IF_ERROR(trainer->Run());
  RankResult result;
  for (const EventKind kind : {EventKind::kStep, EventKind::kEvaluation}) {
    for (const TrainEvent& event : events.Of(kind)) result.trajectory.Add(event.metrics);
  }
  for (const TrainEvent& event : events.Of(EventKind::kStep)) result.steps.push_back(event.metrics);
  if (!result.steps.empty()) {  // and what the end of the run added to the last step
    result.steps.back().insert(trainer->last_step().begin(), trainer->last_step().end());
  }
  for (const auto& [name, tensor] : inputs.policy.model.Trained()) {
    result.trajectory.weights[name] = tensor.detach();
  }
  return result;
}

// Of rank 0; the weights of all are the same.
RankResult TrainRanks(const TinyRun& tiny, const JobConfig& job, Place place) {
  if (place.world > 1) place.port = FreePort();
  std::vector<RankResult> results(static_cast<size_t>(place.world));
  std::vector<std::thread> threads;
  for (place.rank = 0; place.rank < place.world; ++place.rank) {
    threads.emplace_back([&, place] {
      auto trained = TrainRank(tiny, job, place);
      ASSERT_TRUE(trained.ok()) << "rank " << place.rank << ": " << trained.status();
      results[static_cast<size_t>(place.rank)] = *std::move(trained);
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (::testing::Test::HasFatalFailure()) return {};
  for (const RankResult& other : results) {
    for (const auto& [name, tensor] : other.trajectory.weights) {
      EXPECT_TRUE(at::equal(tensor, results[0].trajectory.weights.at(name))) << name;
    }
  }
  return results[0];
}

}  // namespace

Gemma InFloat64(const Gemma& model) {
  TensorMap weights;
  for (const auto& [name, tensor] : model.Parameters()) {
    weights[name] = tensor.detach().to(at::kDouble);
  }
  auto wide = Gemma::Create(model.config(), std::move(weights));
  TORCH_CHECK(wide.ok(), wide.status().ToString());
  return *std::move(wide);
}

LoadedSae InFloat64(const LoadedSae& sae) {
  const auto file = LoadSaeFile(sae.path);
  TORCH_CHECK(file.ok(), file.status().ToString());
  const auto wide =
      SparseAutoencoder::Create({file->w_enc.to(at::kDouble), file->b_enc, file->threshold,
                                 file->w_dec, file->b_dec, file->apply_b_dec_to_input});
  TORCH_CHECK(wide.ok(), wide.status().ToString());
  return {*wide, sae.tap, sae.path, sae.digest, sae.l0};
}

Trajectory TrainInFloat64(const TinyRun& tiny, const JobConfig& job, int64_t world) {
  return TrainRanks(tiny, job, {0, world, 0, true}).trajectory;
}

Trajectory TrainInThreads(const TinyRun& tiny, const JobConfig& job, int64_t world,
                          std::vector<EventMetrics>* steps) {
  RankResult result = TrainRanks(tiny, job, {0, world, 0, false});
  if (steps != nullptr) *steps = std::move(result.steps);
  return std::move(result.trajectory);
}

}  // namespace fpo::train

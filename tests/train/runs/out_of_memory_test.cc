// Whole runs on devices that are too small for the job's micro-batches.

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/train/support/free_port.h"
#include "tests/train/support/memory_limit.h"
#include "tests/train/support/ranks_as_threads.h"
#include "tests/train/support/tiny_run.h"
#include "tests/train/support/trajectory.h"
#include "train/collective/c10d_process_group.h"
#include "train/events/exit_status.h"
#include "train/ops/fast_paths.h"
#include "train/runs/run_training.h"
#include "train/torch_status.h"

namespace fpo::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int64_t kWhole = 1 << 14;  // tokens: every step is one micro-batch

class OutOfMemoryTest : public ::testing::Test {
 protected:
  OutOfMemoryTest() {
    job_.batch.pairs = 6;
    job_.batch.tokens_per_microbatch = kWhole;
    job_.retry.on_oom = "retry";
    job_.max_steps = 4;
    job_.epochs = 9;
    job_.checkpoint.every_steps = 2;
    job_.checkpoint.background =
        false;  // a copy that lives as long as a write would blur the peaks
    job_.data.eval = {tiny_.Path("eval.jsonl")};
  }
  // A run into `out`, on a device of `bytes`.
  struct Outcome {
    absl::Status status;
    int64_t peak_bytes = 0;
    std::vector<std::string> warnings;
  };
  Outcome Train(const std::string& out, int64_t bytes, bool resume = false) {
    RunOptions options = tiny_.Run(out);
    options.resume = resume;
    options.reference = tiny_.Path("reference.fpr");
    RecordingSink events;
    const MemoryLimit limit(bytes);
    Outcome outcome;
    outcome.status = RunTorch([&] { return TrainOnce(job_, options, &events); });
    outcome.peak_bytes = limit.peak_bytes();
    for (const TrainEvent& event : events.Of(EventKind::kWarning)) {
      outcome.warnings.push_back(event.message);
    }
    return outcome;
  }
  void SetUp() override {
    RunOptions options = tiny_.Run("warm");
    const JobConfig job = job_;
    ASSERT_TRUE(TrainOnce(job, options).ok());
    std::filesystem::rename(tiny_.Path("warm/reference.fpr"), tiny_.Path("reference.fpr"));
    whole_ = Train("whole", MemoryLimit::kNone).peak_bytes;
    job_.batch.tokens_per_microbatch = 1;
    single_ = Train("single", MemoryLimit::kNone).peak_bytes;
    job_.batch.tokens_per_microbatch = kWhole;
    ASSERT_LT(single_, whole_);
  }
  // Fits micro-batches of some size between one pair and all.
  int64_t Small() const { return single_ + (whole_ - single_) / 3; }
  std::vector<double> Sizes(const std::string& out) const {
    std::vector<double> sizes;
    for (const auto& line : ReadMetrics(tiny_.Path(out))) {
      sizes.push_back(line.at("tokens_per_microbatch"));
    }
    return sizes;
  }
  void ExpectSameRun(const std::string& a, const std::string& b) const {
    for (const char* file :
         {"/model/model.safetensors", "/checkpoints/step-4/optimizer.safetensors"}) {
      EXPECT_TRUE(Slurp(tiny_.Path(a) + file) == Slurp(tiny_.Path(b) + file)) << file;
    }
    const auto lines = ReadMetrics(tiny_.Path(a)), others = ReadMetrics(tiny_.Path(b));
    ASSERT_EQ(lines.size(), others.size());
    for (size_t i = 0; i < lines.size(); ++i) {
      for (const char* name : {"loss", "grad_norm", "rewards/margins"}) {
        EXPECT_EQ(lines[i].at(name), others[i].at(name)) << name << " of line " << i;
      }
    }
  }
  // Padded: the memory of a micro-batch follows from its size alone, and not from its prompts.
  const FastPathsInScope padded_{FastPaths::None()};
  const TinyRun tiny_;
  JobConfig job_ = tiny_.Job("fpo");
  int64_t whole_ = 0, single_ = 0;
};

TEST_F(OutOfMemoryTest, TheRunIsTheOneWithTheSmallerMicroBatch) {
  const Outcome small = Train("small", Small());
  ASSERT_TRUE(small.status.ok()) << small.status;
  EXPECT_LE(small.peak_bytes, Small());
  const std::vector<double> sizes = Sizes("small");
  ASSERT_EQ(sizes.size(), 4u);
  EXPECT_LT(sizes[0], kWhole);
  EXPECT_GT(sizes[0], 1);
  ASSERT_FALSE(small.warnings.empty());
  EXPECT_THAT(small.warnings[0], AllOf(HasSubstr("out of device memory"), HasSubstr("step 1"),
                                       HasSubstr("retry.on_oom: retry")));
  job_.batch.tokens_per_microbatch = static_cast<int64_t>(sizes[0]);
  ASSERT_TRUE(Train("plain", MemoryLimit::kNone).status.ok());
  ExpectSameRun("small", "plain");
}

TEST_F(OutOfMemoryTest, AResumedRunKeepsTheSize) {
  const auto steps = job_.max_steps;
  job_.max_steps = 2;
  ASSERT_TRUE(Train("small", Small()).status.ok());
  const double size = Sizes("small").back();
  job_.max_steps = steps;
  const Outcome resumed = Train("small", MemoryLimit::kNone, /*resume=*/true);
  ASSERT_TRUE(resumed.status.ok()) << resumed.status;
  EXPECT_EQ(Sizes("small"), std::vector<double>(4, size)) << "there was room for more";
  job_.batch.tokens_per_microbatch = static_cast<int64_t>(size);
  ASSERT_TRUE(Train("plain", MemoryLimit::kNone).status.ok());
  ExpectSameRun("small", "plain");
}

TEST_F(OutOfMemoryTest, OnePairThatDoesNotFitEndsTheRun) {
  const Outcome outcome = Train("tiny", single_ * 9 / 10);
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kOutOfMemory) << outcome.status;
  EXPECT_THAT(std::string(outcome.status.message()),
              AllOf(HasSubstr("cannot be cut"), HasSubstr("activation_checkpointing")));
}

TEST_F(OutOfMemoryTest, WithoutTheJobsLeaveTheRunEndsAtOnce) {
  job_.retry.on_oom = "fail";
  const Outcome outcome = Train("small", Small());
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kOutOfMemory) << outcome.status;
  EXPECT_THAT(std::string(outcome.status.message()),
              AllOf(HasSubstr("tokens_per_microbatch"), HasSubstr("retry.on_oom: retry")));
  EXPECT_TRUE(outcome.warnings.empty());
}

class TwoRanksTest : public OutOfMemoryTest, public ::testing::WithParamInterface<const char*> {
 protected:
  TwoRanksTest() { job_.parallel.shard = GetParam(); }
  // Both ranks into folders NAME-0 and NAME-1; rank 1 gets no tensor of `refused` bytes.
  void TrainBoth(const std::string& name, int64_t refused = MemoryLimit::kNone) {
    const int port = FreePort();
    std::vector<std::thread> threads;
    for (int64_t rank = 0; rank < 2; ++rank) {
      threads.emplace_back([this, rank, port, refused, name] {
        C10dOptions join;
        join.rank = rank;
        join.world = 2;
        join.port = port;
        join.timeout = absl::Seconds(60);
        auto group = JoinC10d(join);
        ASSERT_TRUE(group.ok()) << group.status();
        RunOptions options = tiny_.Run(name + "-" + std::to_string(rank));
        options.reference = tiny_.Path("reference.fpr");
        MemoryLimit limit(MemoryLimit::kNone);
        if (rank == 1) limit.Refuse(refused);
        const absl::Status status = RunTorch([&] {
          return RunTraining(job_, options, {events_[rank], nullptr, **group});
        });
        EXPECT_TRUE(status.ok()) << "rank " << rank << ": " << status;
        sizes_[rank] = limit.sizes();
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  RecordingSink events_[2];
  std::set<int64_t> sizes_[2];  // of tensors
};

// Rank 0 has computed its share with the large micro-batches when rank 1 repeats its own, or
// repeats it with rank 1 where gradients left during backward, so in this one step their sums are
// rounded otherwise; from the next on all compute the small ones.
TEST_P(TwoRanksTest, TheOneWithoutMemoryRepeatsItsShareAndAllGoOnWithItsSize) {
  C10dOptions alone;
  alone.timeout = absl::Seconds(5);
  if (absl::IsUnimplemented(JoinC10d(alone).status())) GTEST_SKIP() << "built without Gloo";
  job_.optimizer.eps = job_.optimizer.lr;  // no weight moves by more than its gradient is off
  TrainBoth("wide");
  const std::set<int64_t> wide = sizes_[1];
  job_.batch.tokens_per_microbatch = 1;
  TrainBoth("narrow");
  std::vector<int64_t> of_wide_alone;
  std::set_difference(wide.begin(), wide.end(), sizes_[1].begin(), sizes_[1].end(),
                      std::back_inserter(of_wide_alone));
  ASSERT_FALSE(of_wide_alone.empty());
  job_.batch.tokens_per_microbatch = kWhole;
  for (RecordingSink& sink : events_) sink.events.clear();
  TrainBoth("small", of_wide_alone.back());
  if (HasFailure()) return;
  const std::vector<double> sizes = Sizes("small-0");
  ASSERT_EQ(sizes.size(), 4u);
  EXPECT_LT(sizes[0], kWhole);
  EXPECT_EQ(sizes, std::vector<double>(4, sizes[0]));
  EXPECT_EQ(Slurp(tiny_.Path("small-0/checkpoints/step-4/state.json"))
                .find("\"tokens_per_microbatch\": 0"),
            std::string::npos);
  std::vector<std::string> warnings;
  for (const TrainEvent& event : events_[0].Of(EventKind::kWarning)) {
    warnings.push_back(event.message);
  }
  EXPECT_THAT(warnings, testing::Contains(AllOf(HasSubstr("rank 1"), HasSubstr("step 1"))));
  job_.batch.tokens_per_microbatch = static_cast<int64_t>(sizes[0]);
  TrainBoth("plain");
  const Distance distance =
      Between(ReadTrajectory(tiny_.Path("small-0")), ReadTrajectory(tiny_.Path("plain-0")));
  EXPECT_LT(distance.metrics, 1e-5);
  EXPECT_LT(distance.weights, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Shardings, TwoRanksTest,
                         ::testing::Values("none", "optimizer", "gradients"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace fpo::train

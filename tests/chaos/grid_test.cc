// Promise 7 with the real trainer: two ranks of a job, one of them killed at a point of a grid
// (rank, step, place in the step), through coordinator and agent. Weights and metrics at the end
// are those of an undisturbed run, bit by bit.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/chaos/service_chaos.h"
#include "tests/chaos/transition_check.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kSteps = 12;
constexpr int kCheckpointEvery = 3;

std::string Variable(const char* name) { return getenv(name) == nullptr ? "" : getenv(name); }

// One line: this rank of this attempt dies there.
struct Kill {
  int attempt = 1;
  int rank = 0;
  std::string failpoint;
};

// Everything of a run that must not depend on its history: exported weights, and each row of its
// metrics without what a clock or the machine says.
std::vector<std::string> Outcomes(const fs::path& run) {
  std::vector<std::string> outcomes;
  for (const auto& entry : fs::directory_iterator(run / "model")) {
    if (entry.path().extension() == ".safetensors") outcomes.push_back(ReadFile(entry.path()));
  }
  std::istringstream rows(ReadFile(run / "metrics.jsonl"));
  for (std::string row; std::getline(rows, row);) {
    json fields = json::parse(row);
    for (const char* clock : {"step_seconds", "eval_seconds", "cache_wait_seconds", "gemm_fraction",
                              "mfu", "memory_peak_bytes"}) {
      fields.erase(clock);
    }
    outcomes.push_back(fields.dump());
  }
  return outcomes;
}

int64_t Number(const json& object, const char* name) {
  return object.contains(name) ? std::stoll(object[name].get<std::string>()) : 0;
}

// What a watcher of a killed job sees of its recovery.
class Recovery {
 public:
  void See(const json& job) {
    const size_t attempts = job.value("attempts", json::array()).size();
    const int64_t step = Number(job.value("progress", json::object()), "step");
    const bool over = attempts == 1 && job["attempts"][0].value("end_class", "") != "";
    if (attempts == 1) lost_ = std::max(int64_t{0}, step - Number(job, "checkpoint_step"));
    if (over && died_ == absl::InfiniteFuture()) died_ = absl::Now();
    if (attempts == 2 && step != step_ && took_ == absl::ZeroDuration())
      took_ = absl::Now() - died_;
    step_ = step;
  }
  absl::Duration took() const { return took_; }
  int64_t lost() const { return lost_; }

 private:
  absl::Time died_ = absl::InfiniteFuture();
  absl::Duration took_;
  int64_t step_ = 0;
  int64_t lost_ = 0;
};

// The steps of the long tier, of which FPO_CHAOS_GRID_ONLY=WORD takes the points that hold
// it; 0 is the quick one, which takes two points.
int GridSteps() { return ChaosCount("FPO_CHAOS_GRID_STEPS", 0); }

class GridChaos : public ::testing::Test {
 protected:
  static constexpr const char* kTrainer = R"(#!/bin/sh
# fpo-train, which dies where the plan says: lines of attempt, rank, failpoint.
plan="$(dirname "$0")/plan"
if [ "$1" = run ] && [ -f "$plan" ]; then
  while read -r attempt rank failpoint; do
    case "$FPO_ATTEMPT" in
      */"$attempt"/*)
        [ "$FPO_RANK" = "$rank" ] && exec "$FPO_TRAIN" --failpoint "$failpoint" "$@" ;;
    esac
  done < "$plan"
fi
exec "$FPO_TRAIN" "$@"
)";

  void SetUp() override {
    const std::string trainer = Variable("FPO_BIN_DIR") + "/fpo-train";
    const bool quick = std::string(info_.name()) == "AKilledRankChangesNoBit";
    if (!quick && GridSteps() == 0) GTEST_SKIP() << "only with FPO_CHAOS_GRID_STEPS";
    if (!fs::exists(trainer)) GTEST_SKIP() << "no " << trainer << " in this build";
    setenv("FPO_TRAIN", trainer.c_str(), 1);
    char folder[] = "/tmp/fpo-grid-XXXXXX";
    folder_ = mkdtemp(folder);
    std::ofstream(folder_ / "trainer") << kTrainer;
    chmod((folder_ / "trainer").c_str(), 0755);
    service_ = std::make_unique<LocalService>(
        LocalService::Settings{.trainer = folder_ / "trainer", .slots = 2});
    service_->StartAll();
    const Outcome made = RunProgram({Variable("FPO_SOURCE_DIR") + "/examples/tiny/prepare.sh",
                                     service_->Path("tiny"), trainer});
    ASSERT_EQ(made.code, 0) << made.err;
  }
  void TearDown() override {
    service_.reset();
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  std::string Tiny(const std::string& name) { return service_->Path("tiny/" + name); }

  // One bit of the newest checkpoint.
  void DamageNewestCheckpoint(const std::string& name) {
    int newest = -1;
    const fs::path folder = Tiny("runs/" + name + "/checkpoints");
    for (const auto& entry : fs::directory_iterator(folder)) {
      int step = 0;
      char rest = 0;
      const std::string file = entry.path().filename();
      if (sscanf(file.c_str(), "step-%d%c", &step, &rest) == 1) newest = std::max(newest, step);
    }
    ASSERT_GE(newest, 0) << "no checkpoint to damage";
    const fs::path model = folder / absl::StrCat("step-", newest) / "model-rank-1-of-2.safetensors";
    std::string bytes = ReadFile(model);
    ASSERT_FALSE(bytes.empty()) << model;
    bytes[bytes.size() / 2] ^= 4;
    std::ofstream(model, std::ios::binary) << bytes;
    damaged_ = model.parent_path();
  }

  json Run(const std::string& name, const std::vector<Kill>& kills, Recovery* recovery) {
    std::ofstream plan(folder_ / "plan");
    for (const Kill& kill : kills) {
      plan << kill.attempt << " " << kill.rank << " " << kill.failpoint << "\n";
    }
    plan.close();
    std::vector<std::string> words = {"submit", Tiny(method_ + ".yaml"), "-q"};
    for (const std::string& set :
         {"name=" + name, "model.path=" + Tiny("base"), "sae.path=" + Tiny("runs/sae/params.npz"),
          "output=" + Tiny("runs/" + name), absl::StrCat("max_steps=", kSteps),
          absl::StrCat("checkpoint.every_steps=", kCheckpointEvery),
          absl::StrCat("checkpoint.background=", beside_ ? "true" : "false"),
          std::string("resources.slots=2"), std::string("batch.pairs=8"),
          std::string("batch.tokens_per_microbatch=256"), std::string("data.max_pairs=40"),
          std::string("epochs=9"), std::string("evaluate.pairs=8"),
          std::string("evaluate.every_steps=4")}) {
      if (method_ != "fpo" && set.rfind("sae.", 0) == 0) continue;
      words.insert(words.end(), {"--set", set});
    }
    const Outcome submitted = service_->Ctl(words);
    EXPECT_EQ(submitted.code, 0) << submitted.err;
    const std::string id = submitted.out.substr(0, submitted.out.find('\n'));
    return service_
        ->Until(
            id,
            [&](const json& job) {
              recovery->See(job);
              const json attempts = job.value("attempts", json::array());
              if (damage_ && damaged_.empty() && attempts.size() == kills.size() &&
                  attempts.back().value("end_class", "") != "") {
                DamageNewestCheckpoint(name);
              }
              return job.contains("ended");
            },
            absl::Minutes(3))
        .value_or(json::object());
  }

  // Runs with these kills; true when the end is that of the unbroken run.
  void ExpectUnbroken(const std::string& name, const std::vector<Kill>& kills) {
    std::string told = name;
    for (const Kill& kill : kills) {
      absl::StrAppend(&told, ", attempt ", kill.attempt, " rank ", kill.rank, " ", kill.failpoint);
    }
    SCOPED_TRACE(told);
    if (told.find(Variable("FPO_CHAOS_GRID_ONLY")) == std::string::npos) return;
    Recovery recovery;
    const json job = Run(name, kills, &recovery);
    EXPECT_EQ(job.value("state", ""), "SUCCEEDED") << job.dump();
    EXPECT_EQ(job.value("attempts", json::array()).size(), kills.size() + 1) << "each kill struck";
    if (job.value("state", "") != "SUCCEEDED") return;
    EXPECT_LE(recovery.took(), absl::Seconds(30));
    // The one that is being written beside training does not count yet.
    EXPECT_LE(recovery.lost(), kCheckpointEvery * (beside_ ? 2 : 1));
    slowest_ = std::max(slowest_, recovery.took());
    most_lost_ = std::max(most_lost_, recovery.lost());
    const bool equal = Outcomes(Tiny("runs/" + name)) == unbroken_;
    EXPECT_TRUE(equal) << "weights or metrics differ from the unbroken run";
    ++points_;
    kills_ += kills.size();
    differ_ += !equal;
    fs::remove_all(Tiny("runs/" + name));
  }

  void RunUnbroken() {
    Recovery none;
    const json job = Run("unbroken", {}, &none);
    ASSERT_EQ(job.value("state", ""), "SUCCEEDED") << job.dump();
    ASSERT_EQ(job["attempts"].size(), 1u);
    unbroken_ = Outcomes(Tiny("runs/unbroken"));
    ASSERT_GT(unbroken_.size(), static_cast<size_t>(kSteps));
  }

  void Report() {
    std::cout << "grid (" << method_ << ", 2 ranks, " << kSteps << " steps): " << points_
              << " points, " << kills_ << " kills, " << differ_
              << " differ from the unbroken run; next step after at most "
              << absl::FormatDuration(absl::Trunc(slowest_, absl::Milliseconds(1))) << ", at most "
              << most_lost_ << " steps lost of a checkpoint interval of " << kCheckpointEvery
              << std::endl;
    StubbornUser user(service_->GrpcAddress("coordinator"));
    EXPECT_EQ(CheckHistory(user.AllJobs()), std::vector<std::string>{});
    EXPECT_EQ(CheckTransitions(service_->Log("coordinator")), std::vector<std::string>{});
  }

  const ::testing::TestInfo& info_ = *::testing::UnitTest::GetInstance()->current_test_info();
  std::string method_ = "dpo";
  fs::path folder_;
  bool damage_ = false;  // the newest checkpoint, after the last kill
  bool beside_ = false;  // checkpoints are written while training goes on
  fs::path damaged_;
  std::unique_ptr<LocalService> service_;
  std::vector<std::string> unbroken_;
  int points_ = 0, differ_ = 0;
  size_t kills_ = 0;
  absl::Duration slowest_;
  int64_t most_lost_ = 0;
};

std::string In(const std::string& place, int hit) { return absl::StrCat(place, "=kill@", hit); }

TEST_F(GridChaos, AKilledRankChangesNoBit) {
  RunUnbroken();
  // In the middle of an accumulation, then while a checkpoint is written, whose predecessor is
  // damaged besides.
  damage_ = true;
  ExpectUnbroken("killed", {{1, 1, In("train.step.micro_batch", 11)},
                            {2, 0, In("checkpoint.before_rename", 2)}});
  const std::string log = service_->Ctl({"logs", "killed", "-q"}).out;
  EXPECT_NE(log.find(absl::StrCat("warning: checkpoint ", damaged_.string(), " is marked bad")),
            std::string::npos)
      << log;
  EXPECT_NE(service_->Ctl({"describe", "killed"}).out.find("bad checkpoint"), std::string::npos);
  EXPECT_NE(service_->Http("coordinator", "/metrics")
                .find("fpo_checkpoint_corruptions_total{where=\"load\"} 1\n"),
            std::string::npos);
  Report();
}

TEST_F(GridChaos, TheWholeGridOfRanksStepsAndPlaces) {
  const int first_steps = GridSteps();
  method_ = "fpo";
  const Outcome sae =
      service_->Ctl({"submit", Tiny("sae.yaml"), "--wait", "--set", "model.path=" + Tiny("base"),
                     "--set", "output=" + Tiny("runs/sae"), "--set", "sae_training.steps=60"});
  ASSERT_EQ(sae.code, 0) << sae.out << sae.err;
  RunUnbroken();
  const std::vector<std::string> places = {"train.step.begin", "train.step.updated",
                                           "train.step.recorded"};
  for (int step = 1; step <= first_steps; ++step) {
    for (int rank = 0; rank < 2; ++rank) {
      const std::string& place = places[static_cast<size_t>(step + rank) % places.size()];
      ExpectUnbroken(absl::StrCat("s", step, "r", rank), {{1, rank, In(place, step)}});
    }
  }
  for (const int hit : {2, 7}) {
    for (int rank = 0; rank < 2; ++rank) {
      ExpectUnbroken(absl::StrCat("m", hit, "r", rank),
                     {{1, rank, In("train.step.micro_batch", hit)}});
    }
  }
  int number = 0;
  // Both ranks write, tell, and go on; the first one publishes, removes and finishes.
  for (const char* place :
       {"checkpoint.model_written=kill@1", "checkpoint.model_written=kill@3",
        "checkpoint.shard_written=kill@1", "checkpoint.shard_written=kill@2",
        "checkpoint.before_exchange=kill@1", "checkpoint.before_exchange=kill@3",
        "checkpoint.after_exchange=kill@1", "checkpoint.after_exchange=kill@2"}) {
    ++number;
    for (int rank = 0; rank < 2; ++rank) {
      ExpectUnbroken(absl::StrCat("c", number, "r", rank), {{1, rank, place}});
    }
  }
  beside_ = true;
  for (const char* place :
       {"checkpoint.model_written=kill@2", "checkpoint.shard_written=kill@2",
        "checkpoint.before_exchange=kill@2", "checkpoint.after_exchange=kill@2",
        "checkpoint.before_manifest=kill@2", "checkpoint.after_rename=kill@2"}) {
    ++number;
    for (int rank = 0; rank < 2; ++rank) {
      const bool leads_alone =
          absl::StrContains(place, "manifest") || absl::StrContains(place, "rename");
      if (rank == 0 || !leads_alone) {
        ExpectUnbroken(absl::StrCat("b", number, "r", rank), {{1, rank, place}});
      }
    }
  }
  beside_ = false;
  for (const char* place :
       {"checkpoint.before_manifest=kill@1", "checkpoint.before_manifest=kill@2",
        "checkpoint.before_rename=kill@1", "checkpoint.before_rename=kill@3",
        "checkpoint.after_rename=kill@1", "checkpoint.after_rename=kill@2",
        "checkpoint.half_removed=kill@1", "finish.begin=kill@1", "finish.exported=kill@1",
        "finish.recorded=kill@1"}) {
    ExpectUnbroken(absl::StrCat("c", ++number), {{1, 0, place}});
  }
  damage_ = true;
  ExpectUnbroken("damaged", {{1, 1, In("train.step.begin", 8)}});
  damage_ = false;
  ExpectUnbroken("twice", {{1, 0, In("train.step.updated", 5)}, {2, 1, In("train.step.begin", 4)}});
  Report();
}

}  // namespace
}  // namespace fpo::testing

#include "ctl/jobs/job_plan.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/ctl/command_run.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kGib = int64_t{1} << 30;

RunPlan ThreeGib() {
  RunPlan plan;
  plan.device = "cpu";
  plan.steps = 3;
  plan.host_available_bytes = 4 * kGib;
  plan.memory = {{"train", {{"weights", 3 * kGib, false}}}};
  plan.times = {{"train", 90, true, "measured here"}};
  plan.changes = {{"activation_checkpointing=true", "a third more time", kGib, 0}};
  return plan;
}

pb::Worker WorkerOf(const std::string& name, int64_t bytes) {
  pb::Worker worker;
  worker.set_worker_id(name);
  worker.set_state(pb::WORKER_STATE_READY);
  worker.set_device(pb::DEVICE_KIND_CPU);
  worker.set_memory_bytes(bytes);
  return worker;
}

TEST(JobPlan, WorkersAreComparedByTheirMemory) {
  pb::Worker lost = WorkerOf("lost", 100 * kGib), gpu = WorkerOf("gpu", 100 * kGib);
  lost.set_state(pb::WORKER_STATE_LOST);
  gpu.set_device(pb::DEVICE_KIND_CUDA);
  const std::vector<WorkerFit> fits = FitsOf(
      ThreeGib(), {WorkerOf("w1", 64 * kGib), WorkerOf("w2", kGib), WorkerOf("old", 0), lost, gpu});
  EXPECT_EQ(FitsText(ThreeGib(), fits),
            "fits on w1 (64.0 GiB); not on w2 (1.0 GiB); not known of old");
  EXPECT_THAT(FitsJson(fits), HasSubstr(R"({"worker":"old","fits":null,"bytes":0})"));
  EXPECT_EQ(FitsText(ThreeGib(), {}), "no connected worker computes on cpu");
}

TEST(JobPlan, OnDevicesTheSmallestCounts) {
  RunPlan plan = ThreeGib();
  plan.device = "cuda";
  plan.memory.front().parts.front().on_device = true;
  pb::Worker gpu = WorkerOf("gpu", 100 * kGib);
  gpu.set_device(pb::DEVICE_KIND_CUDA);
  gpu.add_devices()->set_memory_bytes(80 * kGib);
  gpu.add_devices()->set_memory_bytes(2 * kGib);
  EXPECT_EQ(FitsText(plan, FitsOf(plan, {gpu})), "not on gpu (2.0 GiB)");
}

class PlanCommandTest : public CommandRun {
 protected:
  void SetUp() override {
    path_ = WriteJob();
    const auto put = [&](const std::string& name, const std::string& text) {
      const std::filesystem::path file = folder_ + "/" + name;
      std::filesystem::create_directories(file.parent_path());
      std::ofstream(file) << text;
    };
    put("sft/model/config.json", R"({"model_type": "gemma2", "num_hidden_layers": 4})");
    put("sft/model/tokenizer.model", "");
    put("sft/model/model.safetensors", "");
    put("data/train.jsonl", "{}");
  }
  // Answers `plan` with this, and `prepare --check` with nothing to say.
  void PutTrainer(const RunPlan& plan) {
    const std::string script =
        absl::StrCat("#!/bin/sh\ncat >/dev/null\ncase $1 in plan) echo '", RunPlanJson(plan),
                     "' ;; *) echo '{\"problems\":[],\"warnings\":[],\"rows\":1}' ;; esac\n");
    environment_.trainer = scratch_.Put("fpo-train", script);
    std::filesystem::permissions(environment_.trainer, std::filesystem::perms::owner_all);
  }
  Result Call(std::vector<std::string> words) {
    words.insert(words.begin() + 1, {path_, "--set", "method.name=dpo"});
    return Run(words);
  }
  const train::ScratchFolder scratch_;
  std::string path_;
};

TEST_F(PlanCommandTest, ValidateShowsThePlanAndWhereItFits) {
  PutTrainer(ThreeGib());
  const Result shown = Call({"validate", "--plan"});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_THAT(shown.out, AllOf(HasSubstr("3.0 GiB"), HasSubstr("1 min 30 s"),
                               HasSubstr("fits on this machine: 4.0 GiB free")));
  EXPECT_THAT(Call({"validate", "--plan", "--json"}).out, HasSubstr(R"("host_bytes":3221225472)"));
}

TEST_F(PlanCommandTest, AJobThatCannotFitNamesTheChange) {
  RunPlan plan = ThreeGib();
  plan.host_available_bytes = 2 * kGib;
  PutTrainer(plan);
  EXPECT_THAT(Call({"validate", "--plan"}).out,
              HasSubstr("--set activation_checkpointing=true  then 1.0 GiB"));
}

TEST_F(PlanCommandTest, WithoutATrainerThereIsNone) {
  environment_.trainer = "";
  const Result none = Call({"validate", "--plan"});
  EXPECT_NE(none.code, 0);
  EXPECT_THAT(none.err, HasSubstr("no plan: there is no fpo-train beside fpoctl"));
  EXPECT_EQ(Call({"validate"}).code, 0) << "it is not needed without --plan";
}

TEST_F(PlanCommandTest, ADryRunAsksWhichWorkersHaveTheRoom) {
  PutTrainer(ThreeGib());
  coordinator_.AddWorker(WorkerOf("small", kGib));
  const Result small = Call({"submit", "--dry-run"});
  EXPECT_EQ(small.code, 0) << small.err;
  EXPECT_THAT(small.out, AllOf(HasSubstr("not on small (1.0 GiB)"),
                               HasSubstr("--set activation_checkpointing=true")));
  coordinator_.AddWorker(WorkerOf("large", 64 * kGib));
  EXPECT_THAT(Call({"submit", "--dry-run"}).out,
              AllOf(HasSubstr("fits on large (64.0 GiB)"), Not(HasSubstr("--set"))));
  EXPECT_THAT(
      Call({"submit", "--dry-run", "--json"}).out,
      AllOf(HasSubstr(R"("plan":{"device":"cpu")"), HasSubstr(R"({"worker":"small","fits":false)"),
            HasSubstr(R"({"worker":"large","fits":true)")));
}

TEST_F(PlanCommandTest, ATerminalIsToldThatItTakesAWhileAndHowToDoWithout) {
  PutTrainer(ThreeGib());
  EXPECT_THAT(Call({"submit", "--dry-run"}).err, Not(HasSubstr("planning")));
  environment_.err_is_terminal = true;
  EXPECT_THAT(Call({"submit", "--dry-run"}).err, HasSubstr("without a plan: --no-plan"));
  EXPECT_THAT(Call({"validate", "--plan"}).err, HasSubstr("planning"));
  const Result without = Call({"submit", "--dry-run", "--no-plan"});
  EXPECT_EQ(without.code, 0) << without.err;
  EXPECT_THAT(without.out + without.err, Not(AnyOf(HasSubstr("planning"), HasSubstr("memory"))));
  EXPECT_THAT(Call({"submit", "--dry-run", "--no-plan", "--json"}).out, Not(HasSubstr("\"plan\"")));
}

}  // namespace
}  // namespace fpo::ctl

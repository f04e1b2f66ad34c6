#include "coordinator/core/provision/slurm_engine.h"

#include "coordinator/core/provision/engine_program.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/provision/fake_programs.h"

namespace fpo::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SlurmEngineTest : public ::testing::Test {
 protected:
  SlurmEngineTest() {
    pool_.name = "gpu";
    pool_.device = DeviceKind::kCuda;
    pool_.slots_per_worker = 4;
    pool_.labels = {{"pool", "gpu"}};
    pool_.slurm.workers.coordinator = "host-a:7070";
    pool_.slurm.workers.cache = "host-a:7080";
    pool_.slurm.workers.work_dir = "/scratch";
    pool_.slurm.options = {"--qos=low"};
    request_.id = "0a1b";
    request_.pool = "gpu";
    request_.workers = 2;
  }
  SlurmEngine Engine() { return SlurmEngine(pool_, programs_.Runner()); }

  ProvisionPool pool_;
  ProvisionRequest request_;
  FakePrograms programs_;
};

TEST_F(SlurmEngineTest, SubmitsTheScriptThatPeopleSubmitToo) {
  programs_.Answer("");
  programs_.Answer("1234;cluster\n");
  EXPECT_EQ(Engine().Ask(request_).value(), "1234");
  EXPECT_THAT(programs_.lines, ElementsAre("squeue --noheader --format=%i|%T --name=fpo-gpu-0a1b",
                                           "sbatch --parsable --qos=low"));
  const std::string& script = programs_.inputs[1];
  for (const char* part :
       {"#SBATCH --job-name=fpo-gpu-0a1b\n", "#SBATCH --nodes=2\n", "#SBATCH --gpus-per-node=4\n",
        "#SBATCH --no-requeue\n", "--slots='4'", "--label='fpo-request=0a1b'", "--label='pool=gpu'",
        "--exit-when-idle='600s'", "--device='cuda'"}) {
    EXPECT_THAT(script, HasSubstr(part));
  }
}

TEST_F(SlurmEngineTest, AJobThatIsThereIsNotSubmittedAgain) {
  programs_.Answer("1234|PENDING\n");
  EXPECT_EQ(Engine().Ask(request_).value(), "1234");
  EXPECT_EQ(programs_.lines.size(), 1u);
}

TEST_F(SlurmEngineTest, TellsARefusalFromADoubt) {
  programs_.Answer("");
  programs_.Answer("", 1, "sbatch: error: Invalid account\n");
  const absl::Status refused = Engine().Ask(request_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_EQ(refused.message(), "sbatch ended with 1: sbatch: error: Invalid account");
  programs_.Answer("", 1, "squeue: error: Unable to contact slurm controller");
  EXPECT_TRUE(absl::IsUnavailable(Engine().Ask(request_).status()));
  programs_.Answer("");
  programs_.Fail(absl::DeadlineExceededError("sbatch did not end within 30s"));
  EXPECT_TRUE(absl::IsDeadlineExceeded(Engine().Ask(request_).status()));
  programs_.Answer("");
  programs_.Answer("", 137);
  EXPECT_TRUE(absl::IsUnavailable(Engine().Ask(request_).status())) << "killed";
  programs_.Answer("");
  programs_.Answer("Submitted batch job 7\n");
  EXPECT_TRUE(absl::IsUnavailable(Engine().Ask(request_).status()));
  programs_.Fail(absl::NotFoundError("start squeue: No such file"));
  EXPECT_TRUE(absl::IsFailedPrecondition(Engine().Ask(request_).status()));
}

TEST_F(SlurmEngineTest, SeesWhatBecameOfIt) {
  const auto look = [&](const std::string& list) {
    programs_.Answer(list);
    return Engine().Look(request_).value();
  };
  EXPECT_EQ(look(""), AllocationState::kGone);
  EXPECT_EQ(look("1234|PENDING\n"), AllocationState::kQueued);
  EXPECT_EQ(look("1234|CONFIGURING\n"), AllocationState::kQueued);
  EXPECT_EQ(look("  1234|RUNNING\n"), AllocationState::kRunning);
  EXPECT_EQ(look("1234|COMPLETING\n"), AllocationState::kRunning);
  programs_.Answer("slurm is being updated\n");
  EXPECT_TRUE(absl::IsUnavailable(Engine().Look(request_).status()));
}

TEST_F(SlurmEngineTest, CallsOffByName) {
  programs_.Answer("");
  EXPECT_TRUE(Engine().CallOff(request_).ok());
  EXPECT_THAT(programs_.lines, ElementsAre("scancel --name=fpo-gpu-0a1b"));
}

TEST(EngineProgram, WhatAProgramSaidIsCut) {
  FakePrograms programs;
  programs.Answer("", 3, std::string(10'000, 'x'));
  const absl::Status status = AskProgram(programs.Runner(), {}, {{"prog"}}).status();
  EXPECT_LT(status.message().size(), 2'200u);
}

}  // namespace
}  // namespace fpo::coordinator

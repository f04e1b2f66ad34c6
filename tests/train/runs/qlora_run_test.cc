// Runs of adapters beside weights of 4 bits.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/train/support/tiny_run.h"
#include "train/export/export_checkpoint.h"
#include "train/loop/model_loader.h"
#include "train/reference/reference_plan.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class QloraRunTest : public ::testing::Test {
 protected:
  JobConfig Job(const char* kind = "qlora") const {
    JobConfig job = tiny_.Job("fpo");
    job.adapter.kind = kind;
    job.adapter.rank = 2;
    job.adapter.alpha = 4;
    job.adapter.targets = {"q_proj", "down_proj"};
    job.max_steps = 4;
    job.epochs = 10;
    job.checkpoint.every_steps = 2;
    job.checkpoint.keep_last = 9;
    return job;
  }
  void Train(const JobConfig& job, const std::string& out, bool resume = false) {
    RunOptions options = tiny_.Run(out);
    options.resume = resume;
    const absl::Status status = TrainOnce(job, options, &events_);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string Adapter(const std::string& folder) const {
    return Slurp(tiny_.Path(folder + "/adapter_model.safetensors"));
  }
  std::string RecipeOf(const JobConfig& job) const {
    ModelIdentity reference;
    reference.digest = std::string(64, 'a');
    return ToHex(RecipeId(MakeRecipe(RecipeInputsOf(job, reference, at::kCPU), {})));
  }

  const TinyRun tiny_;
  RecordingSink events_;
};

// The start probe of step 0 holds, or these runs fail.
TEST_F(QloraRunTest, LeavesTheModelThatItTrained) {
  Train(Job(), "run");
  const auto weights = MapWeights(tiny_.Path("run/model"));
  ASSERT_TRUE(weights.ok()) << weights.status();
  ModelRequest request{tiny_.Path("model")};
  request.packing = "nf4-double";
  const auto base = LoadModel(request);
  ASSERT_TRUE(base.ok()) << base.status();
  const TensorMap dense = base->model.Merged();
  for (const auto& [name, weight] : *weights) {
    const bool adapted =
        name.find("q_proj") != std::string::npos || name.find("down_proj") != std::string::npos;
    EXPECT_EQ(at::equal(weight, dense.at(name)), !adapted) << name;
  }
  for (const auto& [out, merge] : {std::pair("step-4", false), std::pair("step-4-model", true)}) {
    const absl::Status exported = ExportCheckpoint(
        {tiny_.Path("run/checkpoints/step-4"), tiny_.Path(out), "", "", merge}, events_);
    ASSERT_TRUE(exported.ok()) << exported;
  }
  EXPECT_EQ(Adapter("step-4"), Adapter("run/adapter"));
  EXPECT_EQ(Slurp(tiny_.Path("step-4-model/model.safetensors")),
            Slurp(tiny_.Path("run/model/model.safetensors")));
}

TEST_F(QloraRunTest, IsResumedBitForBitAndNotBesideOtherWeights) {
  Train(Job(), "whole");
  JobConfig half = Job();
  half.max_steps = 2;
  Train(half, "two");
  fs::remove_all(tiny_.Path("two/model"));
  fs::remove(tiny_.Path("two/run.json"));
  Train(Job(), "two", true);
  EXPECT_EQ(Adapter("two/adapter"), Adapter("whole/adapter"));
  for (const char* kind : {"lora", "qlora"}) {
    fs::remove(tiny_.Path("two/run.json"));
    JobConfig other = Job(kind);
    other.adapter.double_quantization = std::string(kind) == "lora";
    RunOptions options = tiny_.Run("two");
    options.resume = true;
    const absl::Status refused = TrainOnce(other, options, &events_);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("adapter")) << refused;
  }
}

TEST_F(QloraRunTest, HasRecordsOfItsOwn) {
  JobConfig full = Job("none"), single = Job(), apart = Job();
  single.adapter.double_quantization = false;
  EXPECT_EQ(RecipeOf(full), RecipeOf(Job("lora")));
  EXPECT_NE(RecipeOf(full), RecipeOf(Job()));
  EXPECT_NE(RecipeOf(single), RecipeOf(Job()));
  // Another folder is the reference as it is.
  apart.reference.path = full.reference.path = "/other";
  EXPECT_EQ(RecipeOf(apart), RecipeOf(full));
  // Records of the full base are not taken, also where they are named.
  Train(Job("lora"), "lora");
  RunOptions options = tiny_.Run("run");
  options.reference = tiny_.Path("lora/reference.fpr");
  const absl::Status refused = TrainOnce(Job(), options, &events_);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("recipe")) << refused;
}

TEST_F(QloraRunTest, AReferenceInMemoryIsThePolicysOwn) {
  Train(Job(), "records");
  JobConfig online = Job();
  online.reference.source = "online";
  Train(online, "online");
  const auto records = ReadMetrics(tiny_.Path("records")),
             memory = ReadMetrics(tiny_.Path("online"));
  ASSERT_EQ(records.size(), memory.size());
  for (size_t i = 0; i < records.size(); ++i) {
    EXPECT_NEAR(records[i].at("loss"), memory[i].at("loss"), 1e-5) << i;
  }
  EXPECT_NE(records.front().at("loss"), records.back().at("loss"));
}

}  // namespace
}  // namespace fpo::train

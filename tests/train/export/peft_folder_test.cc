#include "train/export/peft_folder.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include <nlohmann/json.hpp>

#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "tests/train/support/tiny_run.h"
#include "train/export/export_checkpoint.h"
#include "train/formats/safetensors_writer.h"
#include "train/loop/model_loader.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Json = nlohmann::json;

class PeftFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    adapter_.lora = *MakeLoraConfig(2, 4, {"q_proj", "down_proj"});
    adapter_.tensors = NewLora(config_, adapter_.lora, 3);
    ASSERT_TRUE(WritePeftFolder({folder_, "/models/base"}, config_, adapter_).ok());
  }
  std::string Refusal() {
    const auto read = ReadPeftFolder(folder_, config_);
    EXPECT_FALSE(read.ok());
    return std::string(read.status().message());
  }
  void Change(const char* key, const Json& value) {
    const std::string path = folder_ + "/adapter_config.json";
    Json json = Json::parse(*ReadFile(path));
    json[key] = value;
    ASSERT_TRUE(WriteFileAtomically(path, json.dump()).ok());
  }
  TensorMap Tensors() const { return {adapter_.tensors.begin(), adapter_.tensors.end()}; }
  void Write(const TensorMap& tensors) {
    ASSERT_TRUE(WriteSafetensors(folder_ + "/adapter_model.safetensors", tensors).ok());
  }

  const TinyRun tiny_;
  const std::string folder_ = tiny_.Path("adapter");
  GemmaConfig config_ = TinyForTest();
  PeftAdapter adapter_;
};

TEST_F(PeftFolderTest, WhatIsWrittenIsReadAgain) {
  const auto read = ReadPeftFolder(folder_, config_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(DescribeLora(read->lora), DescribeLora(adapter_.lora));
  EXPECT_EQ(read->base, "/models/base");
  ASSERT_EQ(read->tensors.size(), adapter_.tensors.size());
  for (size_t i = 0; i < read->tensors.size(); ++i) {
    EXPECT_EQ(read->tensors[i].first, adapter_.tensors[i].first);
    EXPECT_TRUE(at::equal(read->tensors[i].second, adapter_.tensors[i].second));
  }
  Change("lora_alpha", 5);
  EXPECT_NE(ReadPeftFolder(folder_, config_)->digest, read->digest);
  GemmaConfig nested = config_;
  nested.nested = true;  // other names in the file, the same ones in memory
  ASSERT_TRUE(WritePeftFolder({folder_, "b"}, nested, adapter_).ok());
  EXPECT_THAT(Slurp(folder_ + "/adapter_model.safetensors"),
              HasSubstr("base_model.model.model.language_model.layers.0"));
  EXPECT_TRUE(ReadPeftFolder(folder_, config_).ok());
}

TEST_F(PeftFolderTest, WhatWouldBeAnotherArithmeticIsRefused) {
  for (const auto& [key, value] :
       std::vector<std::pair<const char*, Json>>{{"use_dora", true},
                                                 {"use_rslora", true},
                                                 {"bias", "all"},
                                                 {"peft_type", "IA3"},
                                                 {"rank_pattern", {{"q_proj", 8}}},
                                                 {"modules_to_save", {"lm_head"}},
                                                 {"r", 0},
                                                 {"r", "2"},
                                                 {"r", 2.5},
                                                 {"lora_alpha", nullptr}}) {
    ASSERT_TRUE(WritePeftFolder({folder_, "b"}, config_, adapter_).ok());
    Change(key, value);
    EXPECT_THAT(Refusal(), HasSubstr(key));
  }
}

TEST_F(PeftFolderTest, TensorsThatDoNotFitAreNamed) {
  TensorMap tensors = Tensors();
  tensors.erase(LoraNames(config_, adapter_.lora).back());
  Write(tensors);
  EXPECT_THAT(Refusal(), HasSubstr("down_proj.lora_B.weight\" is missing"));
  tensors = Tensors();
  tensors["base_model.model.model.layers.99.mlp.down_proj.lora_A.weight"] = at::zeros({2, 3});
  Write(tensors);
  EXPECT_THAT(Refusal(), HasSubstr("layers.99.mlp.down_proj.lora_A.weight\" belongs to nothing"));
  tensors = Tensors();
  tensors.begin()->second = at::zeros({3, 3});
  Write(tensors);
  EXPECT_THAT(Refusal(), HasSubstr("as rank and model ask for"));
  tensors = Tensors();
  tensors.begin()->second = at::full_like(tensors.begin()->second, NAN);
  Write(tensors);
  EXPECT_THAT(Refusal(), HasSubstr("not finite"));
  tensors = Tensors();
  tensors["base_model.model.lm_head.weight"] = at::zeros({2, 2});
  Write(tensors);
  EXPECT_THAT(Refusal(), HasSubstr("lm_head"));
  fs::remove(folder_ + "/adapter_model.safetensors");
  EXPECT_TRUE(absl::IsNotFound(ReadPeftFolder(folder_, config_).status()));
}

// Of runs: what they train, what they leave, and that they are resumed bit for bit.
class LoraRunTest : public ::testing::Test {
 protected:
  JobConfig Job(const char* method = "fpo") const {
    JobConfig job = tiny_.Job(method);
    job.adapter.kind = "lora";
    job.adapter.rank = 2;
    job.adapter.alpha = 4;
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
  std::string Weights(const std::string& folder) const {
    return Slurp(tiny_.Path(folder + "/adapter_model.safetensors"));
  }

  const TinyRun tiny_;
  RecordingSink events_;
};

TEST_F(LoraRunTest, LeavesTheAdapterAndTheModelWithIt) {
  Train(Job(), "run");
  const auto lines = ReadMetrics(tiny_.Path("run"));
  EXPECT_NE(lines.front().at("loss"), lines.back().at("loss"));
  for (const auto& [out, merge] : {std::pair("step-4", false), std::pair("step-4-model", true)}) {
    const absl::Status exported = ExportCheckpoint(
        {tiny_.Path("run/checkpoints/step-4"), tiny_.Path(out), "", "", merge}, events_);
    ASSERT_TRUE(exported.ok()) << exported;
  }
  EXPECT_EQ(Weights("step-4"), Weights("run/adapter"));
  EXPECT_EQ(Slurp(tiny_.Path("step-4-model/model.safetensors")),
            Slurp(tiny_.Path("run/model/model.safetensors")));
  const auto base = IdentifyModel(tiny_.Path("model")),
             merged = IdentifyModel(tiny_.Path("run/model"));
  ASSERT_TRUE(base.ok() && merged.ok());
  EXPECT_NE(base->digest, merged->digest);
  // A checkpoint is of the adapter alone, and not a model.
  const auto refused = LoadModel({tiny_.Path("run/checkpoints/step-4")});
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("--merge"));
}

TEST_F(LoraRunTest, IsResumedBitForBitAndOnlyWithTheSameAdapter) {
  Train(Job(), "whole");
  JobConfig half = Job();
  half.max_steps = 2;
  Train(half, "two");
  fs::remove_all(tiny_.Path("two/model"));
  fs::remove(tiny_.Path("two/run.json"));
  Train(Job(), "two", true);
  EXPECT_EQ(Weights("two/adapter"), Weights("whole/adapter"));
  fs::remove(tiny_.Path("two/run.json"));
  JobConfig other = Job();
  other.adapter.alpha = 8;
  RunOptions options = tiny_.Run("two");
  options.resume = true;
  const absl::Status refused = TrainOnce(other, options, &events_);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("adapter")) << refused;
}

TEST_F(LoraRunTest, GoesOnFromAnAdapter) {
  Train(Job("simpo"), "first");
  JobConfig job = Job("simpo");
  job.adapter.path = tiny_.Path("first/adapter");
  Train(job, "second");
  EXPECT_NE(Weights("second/adapter"), Weights("first/adapter"));
  job.adapter.rank = 3;
  const absl::Status refused = TrainOnce(job, tiny_.Run("third"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("but the job asks for lora rank 3"));
}

// From there on `B` is scaled: the divergence lands on the budget as that of whole weights does.
TEST_F(LoraRunTest, EndsOnItsBudget) {
  JobConfig job = Job();
  job.constraint.budget = 0.0005;
  job.optimizer.lr = 2e-2;
  job.epochs = 1000;
  job.max_steps = 80;
  job.evaluate.every_steps = 0;
  job.checkpoint.every_steps = 0;
  Train(job, "run");
  const auto last = ReadMetrics(tiny_.Path("run"), true).back();
  const double divergence =
      (last.at("eval_divergence/chosen") + last.at("eval_divergence/rejected")) / 2;
  EXPECT_NEAR(divergence, 0.0005, 0.0005 * 0.006);
}

}  // namespace
}  // namespace fpo::train

#include "train/export/export_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/train/support/tiny_run.h"
#include "tests/train/support/tiny_tokenizer_model.h"
#include "train/chat/turn_record.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A run of three steps with checkpoints at steps 2 and 3, and the same run of two steps.
class ExportCheckpointTest : public ::testing::Test {
 protected:
  static absl::Status Train(const TinyRun& tiny, const char* dtype, int64_t steps,
                            const std::string& out) {
    JobConfig job = tiny.Job("simpo");
    job.model.dtype = dtype;
    job.max_steps = steps;
    return TrainOnce(job, tiny.Run(out));
  }
  absl::Status Export(const std::string& checkpoint, const std::string& out) {
    return ExportCheckpoint({tiny_.Path(checkpoint), tiny_.Path(out), "", ""}, events_);
  }

  const TinyRun tiny_;
  RecordingSink events_;
};

TEST_F(ExportCheckpointTest, IsWhatTheRunItselfWouldHaveExported) {
  for (const char* dtype : {"float32", "bfloat16"}) {
    const TinyRun tiny;
    ASSERT_TRUE(Train(tiny, dtype, 3, "three").ok());
    ASSERT_TRUE(Train(tiny, dtype, 2, "two").ok());
    const absl::Status status = ExportCheckpoint(
        {tiny.Path("three/checkpoints/step-2"), tiny.Path("exported"), "", ""}, events_);
    ASSERT_TRUE(status.ok()) << status;
    for (const char* name : {"model.safetensors", "config.json", "generation_config.json"}) {
      EXPECT_EQ(Slurp(tiny.Path("exported/") + name), Slurp(tiny.Path("two/model/") + name))
          << dtype << " " << name;
    }
    EXPECT_THAT(Slurp(tiny.Path("exported/README.md")), HasSubstr("| Step | 2 of 3 |"));
  }
}

TEST_F(ExportCheckpointTest, CarriesTheTurnsOfTheRun) {
  ASSERT_TRUE(WriteTurnRecord({"x.jinja", "{{ turns }}", {5}}, tiny_.Path("prepared")).ok());
  ASSERT_TRUE(Train(tiny_, "float32", 2, "run").ok());
  ASSERT_TRUE(Export("run/checkpoints/step-2", "exported").ok());
  for (const char* folder : {"exported", "run/model"}) {
    EXPECT_EQ(Slurp(tiny_.Path(folder) + "/chat_template.jinja"), "{{ turns }}") << folder;
    EXPECT_THAT(Slurp(tiny_.Path(folder) + "/generation_config.json"), HasSubstr("5")) << folder;
  }
  EXPECT_TRUE(events_.Of(EventKind::kWarning).empty());
}

// transformers would otherwise need the package sentencepiece and write turn marks out.
TEST_F(ExportCheckpointTest, ATokenizerModelAloneBecomesTokenizerJsonToo) {
  std::ofstream(tiny_.Path("model/tokenizer.model"), std::ios::binary) << TinyTokenizerBytes();
  ASSERT_TRUE(Train(tiny_, "float32", 2, "run").ok());
  ASSERT_TRUE(Export("run/checkpoints/step-2", "exported").ok());
  const std::string json = Slurp(tiny_.Path("exported/tokenizer.json"));
  EXPECT_THAT(json, HasSubstr("\"merges\""));
  EXPECT_EQ(json, Slurp(tiny_.Path("run/model/tokenizer.json")));
  EXPECT_THAT(Slurp(tiny_.Path("run/model/tokenizer_config.json")), HasSubstr("<end_of_turn>"));
  EXPECT_EQ(Slurp(tiny_.Path("run/model/tokenizer.model")), TinyTokenizerBytes());
}

TEST_F(ExportCheckpointTest, MistakesAreNamedAndLeaveNothing) {
  ASSERT_TRUE(Train(tiny_, "float32", 2, "run").ok());
  EXPECT_THAT(Export("run", "e").message(), HasSubstr("name one of its"));
  EXPECT_THAT(Export("model", "e").message(), HasSubstr("is not a checkpoint"));
  EXPECT_TRUE(absl::IsNotFound(Export("nowhere", "e")));
  EXPECT_TRUE(absl::IsAlreadyExists(Export("run/checkpoints/step-2", "run/model")));
  tiny_.WriteModel("other", 77);
  const absl::Status other = ExportCheckpoint(
      {tiny_.Path("run/checkpoints/step-2"), tiny_.Path("e"), "", tiny_.Path("other")}, events_);
  EXPECT_THAT(other.message(), HasSubstr("started from another model"));
  fs::create_directories(tiny_.Path("alone/a"));
  fs::copy(tiny_.Path("run/checkpoints/step-2"), tiny_.Path("alone/a/step-2"),
           fs::copy_options::recursive);
  EXPECT_THAT(Export("alone/a/step-2", "e").message(), HasSubstr("--job"));
  EXPECT_FALSE(fs::exists(tiny_.Path("e")));
}

}  // namespace
}  // namespace fpo::train

#include "train/loop/init_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/train/support/tiny_run.h"
#include "tests/train/support/trained_tokenizer.h"
#include "train/events/exit_status.h"
#include "train/loop/model_loader.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

class InitModelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (TinyTokenizer().empty()) GTEST_SKIP() << "spm_train is not installed";
    WriteConfig(TinyTextConfig());
  }
  void WriteConfig(const std::string& text) { std::ofstream(tiny_.Path("config.json")) << text; }
  InitModelOptions Options(const std::string& out, uint64_t seed) const {
    return {tiny_.Path("config.json"), TinyTokenizer(), seed, "float32", tiny_.Path(out)};
  }
  const TinyRun tiny_;
};

TEST_F(InitModelTest, SameSeedSameModel) {
  ASSERT_TRUE(InitModel(Options("a", 1)).ok());
  ASSERT_TRUE(InitModel(Options("b", 1)).ok());
  ASSERT_TRUE(InitModel(Options("c", 2)).ok());
  const auto a = LoadModel({tiny_.Path("a"), "float32"});
  ASSERT_TRUE(a.ok()) << a.status();
  EXPECT_EQ(a->digest, LoadModel({tiny_.Path("b"), "float32"})->digest);
  EXPECT_NE(a->digest, LoadModel({tiny_.Path("c"), "float32"})->digest);
  EXPECT_EQ(Slurp(tiny_.Path("a/tokenizer.model")), Slurp(TinyTokenizer()));
}

TEST_F(InitModelTest, NeverOverwrites) {
  ASSERT_TRUE(InitModel(Options("a", 1)).ok());
  EXPECT_EQ(ExitCodeOf(InitModel(Options("a", 1))), ExitCode::kInvalid);
}

TEST_F(InitModelTest, VocabularyMustFit) {
  std::string config = TinyTextConfig();
  config.replace(config.find("420"), 3, "500");
  WriteConfig(config);
  const absl::Status status = InitModel(Options("a", 1));
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("420"));
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("500"));
}

TEST_F(InitModelTest, WithoutATokenizerTheFolderIsTheSameButForIt) {
  ASSERT_TRUE(InitModel(Options("a", 1)).ok());
  InitModelOptions options = Options("b", 1);
  options.tokenizer.clear();
  ASSERT_TRUE(InitModel(options).ok());
  EXPECT_EQ(LoadModel({tiny_.Path("b"), "float32"})->digest,
            LoadModel({tiny_.Path("a"), "float32"})->digest);
  EXPECT_FALSE(fs::exists(tiny_.Path("b/tokenizer.model")));
  EXPECT_FALSE(fs::exists(tiny_.Path("b/tokenizer.json")));
}

}  // namespace
}  // namespace fpo::train

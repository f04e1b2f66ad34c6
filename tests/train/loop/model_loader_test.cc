#include "train/loop/model_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/train/support/tiny_run.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

TEST(ModelLoader, DigestIgnoresTheFoldersName) {
  const TinyRun tiny;
  fs::copy(tiny.Path("model"), tiny.Path("renamed"), fs::copy_options::recursive);
  tiny.WriteModel("other", 2);
  const auto a = LoadModel({tiny.Path("model"), "float32"});
  const auto b = LoadModel({tiny.Path("renamed"), "bfloat16"});
  const auto c = LoadModel({tiny.Path("other"), "float32"});
  ASSERT_TRUE(a.ok() && b.ok() && c.ok()) << a.status();
  EXPECT_EQ(a->digest, b->digest);
  EXPECT_NE(a->digest, c->digest);
  EXPECT_EQ(b->model.dtype(), at::kBFloat16);
  EXPECT_EQ(IdentifyModel(tiny.Path("model"))->digest, a->digest);
}

TEST(ModelLoader, TrainableOwnsItsMemory) {
  const TinyRun tiny;
  const auto model = LoadModel({tiny.Path("model"), "float32", at::kCPU, true});
  ASSERT_TRUE(model.ok());
  EXPECT_TRUE(model->model.Parameters().front().second.requires_grad());
}

TEST(ModelLoader, SaysWhatIsWrongWithAFolder) {
  const TinyRun tiny;
  EXPECT_THAT(std::string(LoadModel({tiny.Path("nowhere")}).status().message()),
              HasSubstr("does not exist"));
  fs::create_directories(tiny.Path("empty"));
  EXPECT_THAT(std::string(LoadModel({tiny.Path("empty")}).status().message()),
              HasSubstr("config.json"));
  const std::string weights = tiny.Path("model/model.safetensors");
  fs::resize_file(weights, fs::file_size(weights) - 100);
  EXPECT_THAT(std::string(LoadModel({tiny.Path("model")}).status().message()),
              HasSubstr("model.safetensors"));
  EXPECT_FALSE(LoadModel({tiny.Path("model"), "float16"}).ok());
}

TEST(ModelLoader, SaeOfTheWrongWidthNamesBothNumbers) {
  TinyRun::Options options;
  options.sae_width = 20;
  const TinyRun tiny(options);
  const auto config = IdentifyModel(tiny.Path("model"))->config;
  const auto sae = LoadSae({tiny.Path("sae/params.npz"), {}, ""}, config, at::kCPU);
  EXPECT_THAT(std::string(sae.status().message()), HasSubstr("20 wide"));
  EXPECT_THAT(std::string(sae.status().message()), HasSubstr("24 wide"));
}

TEST(ModelLoader, SaeKnowsItsSite) {
  const TinyRun tiny;
  const auto config = IdentifyModel(tiny.Path("model"))->config;
  const auto sae = LoadSae({tiny.Path("sae"), {}, ""}, config, at::kCPU);
  ASSERT_TRUE(sae.ok()) << sae.status();
  EXPECT_EQ(sae->tap.layer, 1);
  EXPECT_EQ(sae->sae.features(), 32);
  EXPECT_FALSE(LoadSae({tiny.Path("sae"), 2, ""}, config, at::kCPU).ok());
}

}  // namespace
}  // namespace fpo::train

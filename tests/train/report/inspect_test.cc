#include "train/report/inspect.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "common/reference/record_file.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_tokenizer_model.h"
#include "train/checkpoint/checkpoint_writer.h"
#include "train/data/token_file.h"
#include "train/formats/npz/npz.h"
#include "train/formats/sae_files.h"

namespace fpo::train {
namespace {

std::string Fact(const Inspection& inspection, const std::string& name) {
  for (const auto& [key, value] : inspection.facts) {
    if (key == name) return value;
  }
  return "(absent)";
}

TEST(InspectTest, Model) {
  ScratchFolder folder;
  ASSERT_TRUE(
      WriteShardedSafetensors(folder.path(), {{"model.embed_tokens.weight", at::ones({10, 4})},
                                              {"model.norm.weight", at::ones({4})}})
          .ok());
  folder.Put("config.json", R"({"model_type":"gemma2","num_hidden_layers":3,"hidden_size":4})");
  folder.Put("tokenizer.model", TinyTokenizerBytes());
  const auto seen = Inspect(folder.path());
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->kind, "model");
  EXPECT_EQ(Fact(*seen, "parameters"), "44");
  EXPECT_EQ(Fact(*seen, "num_hidden_layers"), "3");
  EXPECT_EQ(Fact(*seen, "dtype"), "F32");
  EXPECT_EQ(Fact(*seen, "weights digest").size(), 64u);
  EXPECT_TRUE(absl::StrContains(Fact(*seen, "tokenizer"), "with turn marks"));
  EXPECT_EQ(nlohmann::json::parse(seen->Json())["facts"]["model_type"], "gemma2");
  EXPECT_TRUE(absl::StrContains(seen->Text(), "num_hidden_layers"));
}

TEST(InspectTest, Sae) {
  ScratchFolder folder;
  SaeParameters sae;
  sae.w_enc = at::randn({4, 8});
  sae.w_dec = at::randn({8, 4});
  sae.b_enc = sae.threshold = at::ones({8});
  sae.b_dec = at::ones({4});
  sae.layer = 2;
  sae.site = "mlp_out";
  ASSERT_TRUE(WriteSaeFile(folder / "sae", sae).ok());
  for (const char* name : {"sae", "sae/params.npz"}) {
    const auto seen = Inspect(folder / name);
    ASSERT_TRUE(seen.ok()) << seen.status();
    EXPECT_EQ(seen->kind, "sae");
    EXPECT_EQ(Fact(*seen, "features"), "8");
    EXPECT_EQ(Fact(*seen, "layer"), "2");
  }
  std::filesystem::copy_file(folder / "sae/params.npz", folder / "bare.npz");
  const auto bare = Inspect(folder / "bare.npz");
  ASSERT_TRUE(bare.ok()) << bare.status();
  EXPECT_TRUE(absl::StrContains(Fact(*bare, "layer"), "not stated"));
  EXPECT_EQ(Fact(*bare, "digest"), "(absent)");
}

TEST(InspectTest, TokensRecordsAndCheckpoint) {
  ScratchFolder folder;
  TokenFileWriter tokens;
  tokens.Add({{2, 5}, {6, 1}, {7, 8, 1}, 0, ""});
  ASSERT_TRUE(tokens.Write(folder / "t.safetensors", {{"template", "none"}}).ok());
  const auto seen = Inspect(folder / "t.safetensors");
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->kind, "tokens");
  EXPECT_EQ(Fact(*seen, "longest sequence"), "5");

  CheckpointWriter writer(folder.path(), {});
  const CheckpointContent content = {12, {{"w", at::ones({3})}}, {{"m", at::ones({3})}}, "{}"};
  const auto checkpoint = Inspect(*writer.Write(content, 0.5));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->kind, "checkpoint");
  EXPECT_EQ(Fact(*checkpoint, "step"), "12");

  Recipe recipe;
  recipe.model_digest = std::string(64, 'a');
  recipe.forward = "gemma-1";
  recipe.dtype = "float32";
  recipe.device = "cpu";
  ASSERT_TRUE((*RecordFileWriter::Create(folder / "r.fpr", recipe))->Finish().ok());
  const auto records = Inspect(folder / "r.fpr");
  ASSERT_TRUE(records.ok()) << records.status();
  EXPECT_EQ(records->kind, "records");
  EXPECT_EQ(Fact(*records, "records"), "0");
}

TEST(InspectTest, UnknownBrokenAndMissing) {
  ScratchFolder folder;
  EXPECT_TRUE(absl::IsNotFound(Inspect(folder / "no").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Inspect(folder.path()).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Inspect(folder.Put("a.txt", "x")).status()));
  const auto broken = Inspect(folder.Put("a.safetensors", "x"));
  EXPECT_TRUE(absl::IsInvalidArgument(broken.status()));
  EXPECT_TRUE(absl::StrContains(broken.status().message(), "HeaderTooSmall"));
}

}  // namespace
}  // namespace fpo::train

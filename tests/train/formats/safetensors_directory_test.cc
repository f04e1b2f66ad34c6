#include "train/formats/safetensors_directory.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/train/support/scratch_folder.h"
#include "train/formats/safetensors_writer.h"

namespace fpo::train {
namespace {

absl::string_view Message(const absl::StatusOr<SafetensorsDirectory>& result) {
  return result.status().message();
}

TEST(SafetensorsDirectoryTest, SingleFile) {
  ScratchFolder folder;
  ASSERT_TRUE(WriteShardedSafetensors(folder.path(), {{"a", at::ones({2, 3})}}).ok());
  const auto directory = SafetensorsDirectory::Open(folder.path());
  ASSERT_TRUE(directory.ok()) << directory.status();
  EXPECT_EQ(directory->Parameters(), 6);
  EXPECT_EQ(directory->Entry("a")->shape, (std::vector<int64_t>{2, 3}));
  EXPECT_TRUE(absl::IsNotFound(directory->Tensor("b").status()));
}

TEST(SafetensorsDirectoryTest, NamesWhatIsMissing) {
  ScratchFolder folder;
  const TensorMap tensors = {{"a", at::ones({10})}, {"b", at::ones({10})}};
  ASSERT_TRUE(WriteShardedSafetensors(folder.path(), tensors, 40).ok());
  const std::string second = folder / "model-00002-of-00002.safetensors";
  ASSERT_TRUE(WriteSafetensors(second, {{"c", at::ones({10})}}).ok());
  const auto wrong = SafetensorsDirectory::Open(folder.path());
  EXPECT_TRUE(absl::StrContains(Message(wrong), "lists tensor \"b\"")) << wrong.status();
  std::filesystem::remove(second);
  const auto gone = SafetensorsDirectory::Open(folder.path());
  EXPECT_TRUE(absl::IsNotFound(gone.status()));
  EXPECT_TRUE(absl::StrContains(Message(gone), "model-00002-of-00002")) << gone.status();
}

TEST(SafetensorsDirectoryTest, PickleAndNothing) {
  ScratchFolder folder;
  EXPECT_TRUE(absl::IsNotFound(SafetensorsDirectory::Open(folder / "no").status()));
  EXPECT_TRUE(absl::IsNotFound(SafetensorsDirectory::Open(folder.path()).status()));
  folder.Put("pytorch_model.bin", "x");
  const auto pickle = SafetensorsDirectory::Open(folder.path());
  EXPECT_TRUE(absl::StrContains(Message(pickle), "pickle")) << pickle.status();
}

TEST(SafetensorsDirectoryTest, IndexMustStayInItsFolder) {
  ScratchFolder folder;
  folder.Put("model.safetensors.index.json", R"({"weight_map": {"a": "../x.safetensors"}})");
  EXPECT_TRUE(absl::IsDataLoss(SafetensorsDirectory::Open(folder.path()).status()));
  folder.Put("model.safetensors.index.json", "{");
  EXPECT_TRUE(absl::IsDataLoss(SafetensorsDirectory::Open(folder.path()).status()));
}

TEST(SafetensorsDirectoryTest, DigestSeesNamesTypesShapesAndValues) {
  ScratchFolder folder;
  const auto digest = [&](const TensorMap& tensors) {
    EXPECT_TRUE(WriteShardedSafetensors(folder.path(), tensors).ok());
    return *SafetensorsDirectory::Open(folder.path())->WeightsDigest();
  };
  const Digest base = digest({{"a", at::ones({2, 2})}});
  EXPECT_EQ(base, digest({{"a", at::ones({2, 2})}}));
  EXPECT_NE(base, digest({{"b", at::ones({2, 2})}}));
  EXPECT_NE(base, digest({{"a", at::ones({4, 1})}}));
  EXPECT_NE(base, digest({{"a", at::ones({2, 2}) + 1e-6}}));
  EXPECT_NE(base, digest({{"a", at::ones({2, 2}).to(at::kInt)}}));
}

}  // namespace
}  // namespace fpo::train

#include "train/formats/safetensors_writer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"
#include "train/formats/safetensors.h"
#include "train/formats/safetensors_directory.h"

namespace fpo::train {
namespace {

TEST(SafetensorsWriterTest, EveryTypeAndStrideComesBack) {
  ScratchFolder folder;
  TensorMap tensors;
  for (const auto type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16, at::kInt, at::kLong,
                          at::kByte, at::kBool}) {
    tensors[c10::toString(type)] = at::randint(0, 2, {3, 4}, at::TensorOptions().dtype(type));
  }
  tensors["transposed"] = at::arange(12, at::kFloat).view({3, 4}).t();
  tensors["scalar"] = at::scalar_tensor(1.5, at::kFloat);
  tensors["empty"] = at::empty({0, 4});
  ASSERT_TRUE(WriteSafetensors(folder / "m", tensors).ok());
  const auto file = SafetensorsFile::Open(folder / "m");
  ASSERT_TRUE(file.ok()) << file.status();
  for (const auto& [name, tensor] : tensors) {
    const auto read = (*file)->Tensor(name);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_TRUE(at::equal(*read, tensor)) << name;
  }
}

TEST(SafetensorsWriterTest, EqualTensorsGiveEqualBytes) {
  ScratchFolder folder;
  const TensorMap tensors = {{"z", at::ones({3}, at::kByte)}, {"a", at::ones({3})}};
  ASSERT_TRUE(WriteSafetensors(folder / "1", tensors, {{"k", "v"}}).ok());
  ASSERT_TRUE(WriteSafetensors(folder / "2", tensors, {{"k", "v"}}).ok());
  EXPECT_EQ(Slurp(folder / "1"), Slurp(folder / "2"));
}

TEST(SafetensorsWriterTest, ShardsCarryTheSameWeights) {
  ScratchFolder folder;
  TensorMap tensors;
  for (int i = 0; i < 7; ++i) tensors["layer." + std::to_string(i)] = at::randn({10, 10});
  std::filesystem::create_directories(folder / "one");
  std::filesystem::create_directories(folder / "many");
  ASSERT_TRUE(WriteShardedSafetensors(folder / "one", tensors).ok());
  ASSERT_TRUE(WriteShardedSafetensors(folder / "many", tensors, 900).ok());
  EXPECT_TRUE(std::filesystem::exists(folder / "many/model-00004-of-00004.safetensors"));
  const auto one = SafetensorsDirectory::Open(folder / "one");
  const auto many = SafetensorsDirectory::Open(folder / "many");
  ASSERT_TRUE(many.ok()) << many.status();
  EXPECT_EQ(one->Names(), many->Names());
  EXPECT_EQ(*one->WeightsDigest(), *many->WeightsDigest());
}

TEST(SafetensorsWriterTest, RefusesWhatTheFormatCannotHold) {
  ScratchFolder folder;
  EXPECT_TRUE(absl::IsInvalidArgument(WriteSafetensors(folder / "m", {{"a", at::Tensor()}})));
  EXPECT_TRUE(absl::IsInvalidArgument(
      WriteSafetensors(folder / "m", {{"a", at::ones({2}, at::kComplexDouble)}})));
  EXPECT_FALSE(std::filesystem::exists(folder / "m"));
}

}  // namespace
}  // namespace fpo::train

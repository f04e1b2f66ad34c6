#include "train/formats/npz/npz.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

std::string Npy(const std::string& header, const std::string& data, int version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes.push_back(static_cast<char>(version));
  bytes.push_back('\0');
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) {
    bytes.push_back(static_cast<char>(header.size() >> (8 * i)));
  }
  return bytes + header + data;
}

std::string Dict(const std::string& descr, const std::string& order, const std::string& shape) {
  return absl::StrCat("{'descr': '", descr, "', 'fortran_order': ", order, ", 'shape': ", shape,
                      ", }\n");
}

const std::string kTwoFloats("\0\0\x80\x3f\0\0\0\x40", 8);

TEST(NpzTest, WrittenArraysComeBack) {
  ScratchFolder folder;
  const std::map<std::string, at::Tensor> arrays = {{"W_enc", at::randn({4, 6})},
                                                    {"half", at::randn({3}).to(at::kHalf)},
                                                    {"wide", at::randn({2, 2}, at::kDouble)},
                                                    {"count", at::arange(5, at::kLong)},
                                                    {"ids", at::arange(5, at::kInt)},
                                                    {"scalar", at::scalar_tensor(2.5)},
                                                    {"strided", at::randn({3, 4}).t()}};
  ASSERT_TRUE(WriteNpz(folder / "a.npz", arrays).ok());
  const auto read = ReadNpz(folder / "a.npz");
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), arrays.size());
  for (const auto& [name, array] : arrays) EXPECT_TRUE(at::equal(read->at(name), array)) << name;
  const auto some = ReadNpz(folder / "a.npz", {"ids"});
  EXPECT_EQ(some->size(), 1u);
}

TEST(NpzTest, ThreeVersionsOfTheHeader) {
  for (const int version : {1, 2, 3}) {
    const auto array = ParseNpy(Npy(Dict("<f4", "False", "(2,)"), kTwoFloats, version), "a");
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_EQ((*array)[1].item<float>(), 2.0f);
  }
  EXPECT_FALSE(ParseNpy(Npy(Dict("<f4", "False", "(2,)"), kTwoFloats, 4), "a").ok());
}

// numpy.savez of an array in column order; ParseNpy gives it in row order.
TEST(NpzTest, FortranOrderIsTurned) {
  std::string data;
  for (const float value : {1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f}) {
    data.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  const auto array = ParseNpy(Npy(Dict("<f4", "True", "(2, 3)"), data), "a");
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_TRUE(at::equal(*array, at::tensor({1.0f, 3.0f, 5.0f, 2.0f, 4.0f, 6.0f}).view({2, 3})));
  EXPECT_TRUE(array->is_contiguous());
  const auto cube = ParseNpy(Npy(Dict("<f4", "True", "(1, 2, 3)"), data), "a");
  EXPECT_EQ((*cube)[0][1][2].item<float>(), 6.0f);
  EXPECT_EQ((*cube)[0][1][0].item<float>(), 2.0f);
  EXPECT_FALSE(ParseNpy(Npy(Dict("<f4", "Maybe", "(2, 3)"), data), "a").ok());
}

TEST(NpzTest, Bfloat16AsMlDtypesSavesIt) {
  for (const char* descr : {"|V2", "<V2"}) {
    const auto array =
        ParseNpy(Npy(Dict(descr, "False", "(2,)"), std::string("\x80\x3f\x00\x40", 4)), "a");
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_EQ(array->scalar_type(), at::kBFloat16);
    EXPECT_EQ((*array)[0].item<float>(), 1.0f);
    EXPECT_EQ((*array)[1].item<float>(), 2.0f);
  }
}

TEST(NpzTest, RefusesByName) {
  const auto message = [](const std::string& bytes) {
    return std::string(ParseNpy(bytes, "W_enc").status().message());
  };
  EXPECT_TRUE(absl::StrContains(message(Npy(Dict("|O", "False", "(2,)"), kTwoFloats)), "pickle"));
  EXPECT_TRUE(absl::StrContains(message(Npy(Dict(">f4", "False", "(2,)"), kTwoFloats)), ">f4"));
  EXPECT_TRUE(
      absl::StrContains(message(Npy(Dict("<f4", "False", "(3,)"), kTwoFloats)), "needs 12"));
  EXPECT_TRUE(
      absl::StrContains(message(Npy(Dict("<f4", "False", "(2, -1)"), kTwoFloats)), "shape"));
  EXPECT_TRUE(absl::StrContains(
      message(Npy(Dict("<f4", "False", "(4294967296, 4294967296)"), kTwoFloats)), "overflows"));
  EXPECT_TRUE(absl::StrContains(message("x"), "W_enc"));
}

TEST(NpzTest, SurvivesDamage) {
  FuzzByMutation(Npy(Dict("<f4", "False", "(2,)"), kTwoFloats), 5000,
                 [](const std::string& bytes) { (void)ParseNpy(bytes, "a"); });
  ScratchFolder folder;
  ASSERT_TRUE(WriteNpz(folder / "a.npz", {{"a", at::randn({4})}, {"b", at::randn({2, 2})}}).ok());
  FuzzByMutation(Slurp(folder / "a.npz"), 1500,
                 [&](const std::string& bytes) { (void)ReadNpz(folder.Put("damaged", bytes)); });
}

TEST(NpzTest, UnsupportedTypeIsNotWritten) {
  ScratchFolder folder;
  EXPECT_TRUE(
      absl::IsInvalidArgument(WriteNpz(folder / "a.npz", {{"a", at::ones({2}, at::kBFloat16)}})));
  EXPECT_FALSE(std::filesystem::exists(folder / "a.npz"));
}

}  // namespace
}  // namespace fpo::train

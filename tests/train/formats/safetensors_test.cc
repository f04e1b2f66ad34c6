#include "train/formats/safetensors.h"

#include <cstring>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/train/support/scratch_folder.h"
#include "train/formats/safetensors_writer.h"

namespace fpo::train {
namespace {

std::string WithHeader(const std::string& header, const std::string& data) {
  const uint64_t size = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &size, 8);
  return bytes + header + data;
}

TEST(SafetensorsTest, ConformanceCasesOfTheFormat) {
  const std::string path = SharedData("golden/safetensors_conformance.json");
  if (path.empty()) GTEST_SKIP() << "shared test data is absent (FPO_SHARED_DATA)";
  ScratchFolder folder;
  const auto cases = nlohmann::json::parse(Slurp(path))["cases"];
  ASSERT_EQ(cases.size(), 15u);
  for (const auto& item : cases) {
    const auto name = item["name"].get<std::string>();
    std::string bytes;
    ASSERT_TRUE(absl::Base64Unescape(item["base64"].get<std::string>(), &bytes));
    const auto file = SafetensorsFile::Open(folder.Put(name, bytes));
    const auto expected = item["expected"].get<std::string>();
    if (expected == "ok") {
      EXPECT_TRUE(file.ok()) << name << ": " << file.status();
    } else {
      EXPECT_TRUE(absl::IsDataLoss(file.status())) << name;
      EXPECT_TRUE(absl::StrContains(file.status().message(), expected + ":"))
          << name << " expected " << expected << ": " << file.status();
    }
  }
}

TEST(SafetensorsTest, TensorsAreViewsThatKeepTheMapping) {
  ScratchFolder folder;
  const at::Tensor a = at::arange(6, at::kFloat).view({2, 3});
  ASSERT_TRUE(WriteSafetensors(folder / "m", {{"a", a}}, {{"format", "pt"}}).ok());
  at::Tensor view;
  {
    const auto file = SafetensorsFile::Open(folder / "m");
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ((*file)->metadata().at("format"), "pt");
    view = *(*file)->Tensor("a");
    EXPECT_EQ(view.data_ptr(), (*file)->Tensor("a")->data_ptr());  // no copy
  }
  EXPECT_TRUE(at::equal(view, a));
  view.fill_(7);  // copy-on-write: the file stays
  EXPECT_TRUE(at::equal(*(*SafetensorsFile::Open(folder / "m"))->Tensor("a"), a));
}

// 100 MB of header may be ten million brackets or numbers, each of which would cost 16 bytes or
// more.
TEST(SafetensorsTest, AHeaderOfBracketsOrNumbersIsRefusedBeforeItFillsTheMemory) {
  ScratchFolder folder;
  const std::string deep = "{\"a\":" + std::string(1 << 20, '[') + std::string(1 << 20, ']') + "}";
  std::string wide = "{\"a\":{\"shape\":[0";
  for (int i = 0; i < (4 << 20) + 1; ++i) wide += ",0";
  wide += "]}}";
  for (const std::string& header : {deep, wide}) {
    const auto file = SafetensorsFile::Open(folder.Put("m", WithHeader(header, "")));
    EXPECT_TRUE(absl::IsDataLoss(file.status())) << file.status();
    EXPECT_TRUE(absl::StrContains(file.status().message(), "nests deeper than 8 levels"))
        << file.status();
  }
}

TEST(SafetensorsTest, UnalignedDataIsCopied) {
  ScratchFolder folder;
  // A header of 63 bytes puts the data at 71, which no float may be read from in place.
  std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  header.append(63 - header.size(), ' ');
  const float value = 2.5f;
  const std::string data(reinterpret_cast<const char*>(&value), 4);
  const auto file = SafetensorsFile::Open(folder.Put("m", WithHeader(header, data)));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->Tensor("a")->item<float>(), 2.5f);
}

TEST(SafetensorsTest, DuplicateNamesAndGapsAreRefused) {
  ScratchFolder folder;
  const std::string entry = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  const auto twice =
      SafetensorsFile::Open(folder.Put("twice", WithHeader("{" + entry + "," + entry + "}", "x")));
  EXPECT_TRUE(absl::StrContains(twice.status().message(), "occurs twice")) << twice.status();
  const std::string gap = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})";
  const auto with_gap = SafetensorsFile::Open(folder.Put("gap", WithHeader(gap, "xy")));
  EXPECT_TRUE(absl::StrContains(with_gap.status().message(), "InvalidOffset"));
}

TEST(SafetensorsTest, TruncatedFileSaysSo) {
  ScratchFolder folder;
  ASSERT_TRUE(WriteSafetensors(folder / "m", {{"a", at::ones({100})}}).ok());
  const std::string bytes = Slurp(folder / "m");
  const auto cut = SafetensorsFile::Open(folder.Put("cut", bytes.substr(0, bytes.size() - 30)));
  EXPECT_TRUE(absl::IsDataLoss(cut.status()));
  EXPECT_TRUE(absl::StrContains(cut.status().message(), "truncated")) << cut.status();
}

TEST(SafetensorsTest, ExpectedShapeAndType) {
  ScratchFolder folder;
  ASSERT_TRUE(WriteSafetensors(folder / "m", {{"a", at::ones({2, 3})}}).ok());
  const auto file = *SafetensorsFile::Open(folder / "m");
  EXPECT_TRUE(file->Tensor("a", "F32", {-1, 3}).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(file->Tensor("a", "F32", {3, 2}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(file->Tensor("a", "BF16", {2, 3}).status()));
  EXPECT_TRUE(absl::IsNotFound(file->Tensor("b").status()));
}

TEST(SafetensorsTest, SurvivesDamage) {
  ScratchFolder folder;
  const TensorMap tensors = {{"w", at::ones({3, 5})}, {"b", at::ones({7}, at::kLong)}};
  ASSERT_TRUE(WriteSafetensors(folder / "m", tensors, {{"k", "v"}}).ok());
  int opened = 0;
  FuzzByMutation(Slurp(folder / "m"), 1000, [&](const std::string& bytes) {
    const auto file = SafetensorsFile::Open(folder.Put("damaged", bytes));
    if (!file.ok()) return;
    ++opened;
    for (const auto& [name, entry] : (*file)->entries()) {
      const auto tensor = (*file)->Tensor(name);
      if (tensor.ok() && tensor->scalar_type() != at::kBool) (void)tensor->to(at::kDouble).sum();
    }
  });
  EXPECT_LT(opened, 1000);
}

}  // namespace
}  // namespace fpo::train

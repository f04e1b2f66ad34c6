#include "train/packed/nf4_folder.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include <nlohmann/json.hpp>

#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "tests/train/support/tiny_run.h"
#include "train/export/export_policy.h"
#include "train/formats/nf4_names.h"
#include "train/formats/safetensors_directory.h"
#include "train/formats/safetensors_writer.h"
#include "train/loop/model_loader.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

constexpr char kUp[] = "model.layers.0.mlp.up_proj.weight";

at::Tensor BytesOf(const std::string& text) {
  return at::tensor(std::vector<uint8_t>(text.begin(), text.end()), at::kByte);
}

// A folder as transformers saves one that bitsandbytes quantised; the Python tests read real ones.
class Nf4FolderTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    std::filesystem::copy(tiny_.Path("model"), tiny_.Path("packed"));
    const auto weights = MapWeights(tiny_.Path("model"));
    ASSERT_TRUE(weights.ok()) << weights.status();
    for (const auto& [name, weight] : *weights) {
      if (IsProjection(name)) {
        Pack(name, *QuantiseNf4(weight, GetParam()));
      } else {
        tensors_[name] = weight.clone();
      }
    }
    Write();
  }
  void Pack(const std::string& name, const Nf4Tensor& packed) {
    nlohmann::json state = {{"quant_type", "nf4"}, {"blocksize", 64}, {"shape", packed.sizes}};
    tensors_[name] = packed.codes;
    tensors_[name + ".absmax"] = packed.absmax;
    tensors_[name + ".quant_map"] = Values();
    if (packed.nested()) {
      state.update({{"nested_blocksize", 256}, {"nested_offset", packed.offset}});
      tensors_[name + ".nested_absmax"] = packed.nested_absmax;
      tensors_[name + ".nested_quant_map"] = packed.nested_map;
    }
    tensors_[name + kNf4State] = BytesOf(state.dump());
  }
  static at::Tensor Values() {  // all that can be packed, of a block of magnitude 1
    Nf4Tensor packed;
    packed.sizes = {1, 16};
    packed.codes = at::tensor({0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF}, at::kByte);
    packed.absmax = at::ones({1});
    return DequantisedNf4(packed, at::kFloat)[0];
  }
  void Write() const {
    ASSERT_TRUE(WriteSafetensors(tiny_.Path("packed/model.safetensors"), tensors_).ok());
  }
  ModelRequest Request(const std::string& packing) const {
    ModelRequest request{tiny_.Path("packed"), "float32"};
    request.packing = packing;
    return request;
  }
  std::string RefusalOf(const std::string& name, const at::Tensor& tensor) {
    TensorMap before = tensors_;
    tensors_[name] = tensor;
    if (!tensor.defined()) tensors_.erase(name);
    Write();
    const auto loaded = LoadModel(Request("nf4"));
    tensors_ = std::move(before);
    EXPECT_FALSE(loaded.ok()) << name;
    return std::string(loaded.status().message());
  }

  const TinyRun tiny_;
  TensorMap tensors_;
};
// A dense folder again: programs that read it know nothing of what was beside the packed weights.
TEST_P(Nf4FolderTest, IsExportedWithoutWhatWasPacked) {
  const auto loaded = LoadModel(Request("nf4"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const absl::Status status = ExportPolicy(Lazy(loaded->model.Merged()),
                                           {tiny_.Path("packed"), tiny_.Path("dense"), at::kFloat});
  ASSERT_TRUE(status.ok()) << status;
  const auto dense = SafetensorsDirectory::Open(tiny_.Path("dense"));
  const auto whole = SafetensorsDirectory::Open(tiny_.Path("model"));
  ASSERT_TRUE(dense.ok() && whole.ok());
  EXPECT_EQ(dense->Names(), whole->Names());
}

INSTANTIATE_TEST_SUITE_P(Nested, Nf4FolderTest, ::testing::Bool());

TEST_P(Nf4FolderTest, IsReadAsItIsOrMadeDense) {
  const auto packed = LoadModel(Request("nf4-double")), dense = LoadModel(Request(""));
  ASSERT_TRUE(packed.ok()) << packed.status();
  ASSERT_TRUE(dense.ok()) << dense.status();
  EXPECT_TRUE(packed->model.IsPacked());
  EXPECT_FALSE(dense->model.IsPacked());
  EXPECT_EQ(packed->digest, dense->digest);
  EXPECT_NE(packed->digest, IdentifyModel(tiny_.Path("model"))->digest);
  const at::Tensor ids = at::arange(6, at::kLong).unsqueeze(0);
  EXPECT_TRUE(
      at::equal(packed->model.Forward(ids, {}).hidden, dense->model.Forward(ids, {}).hidden));
  const auto full = LoadModel({tiny_.Path("model")});
  EXPECT_FALSE(
      at::equal(full->model.Forward(ids, {}).hidden, dense->model.Forward(ids, {}).hidden));
  const at::Tensor mapped = MapWeights(tiny_.Path("packed"))->at(kUp);
  EXPECT_EQ(mapped.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(mapped, dense->model.Merged().at(kUp)));
  EXPECT_TRUE(CheckModel(tiny_.Path("packed"), {}).ok());
  // The weights themselves cannot be trained.
  ModelRequest trained = Request("");
  trained.trainable = true;
  EXPECT_THAT(std::string(LoadModel(trained).status().message()), HasSubstr("adapter.kind: qlora"));
}

TEST_P(Nf4FolderTest, WhatDoesNotFitIsNamed) {
  const std::string up = kUp;
  const auto state = [&](const char* key, const nlohmann::json& value) {
    const at::Tensor bytes = tensors_.at(up + kNf4State);
    nlohmann::json json = nlohmann::json::parse(bytes.const_data_ptr<uint8_t>(),
                                                bytes.const_data_ptr<uint8_t>() + bytes.numel());
    json[key] = value;
    return RefusalOf(up + kNf4State, BytesOf(json.dump()));
  };
  EXPECT_THAT(state("quant_type", "fp4"), HasSubstr("is not NF4"));
  EXPECT_THAT(state("blocksize", 48), HasSubstr("has blocks of 48"));
  EXPECT_THAT(state("blocksize", 0), HasSubstr("blocksize"));
  EXPECT_THAT(state("blocksize", 128), HasSubstr("absmax"));
  EXPECT_THAT(state("shape", {3, 5}), HasSubstr("was of shape [3,5], but config.json asks for"));
  EXPECT_THAT(RefusalOf(up + kNf4State, BytesOf("{")), HasSubstr("not a JSON object"));
  EXPECT_THAT(RefusalOf(up + ".quant_map", Values() * 2), HasSubstr("other values than NF4's"));
  EXPECT_THAT(RefusalOf(up + ".absmax", at::Tensor()), HasSubstr(up + ".absmax"));
  EXPECT_THAT(RefusalOf(up, tensors_.at(up).view({2, -1})), HasSubstr("up_proj.weight"));
  const std::string magnitudes = GetParam() ? ".nested_absmax" : ".absmax";
  EXPECT_THAT(RefusalOf(up + magnitudes, at::full_like(tensors_.at(up + magnitudes), INFINITY)),
              HasSubstr("not finite"));
  if (!GetParam()) return;
  EXPECT_THAT(state("nested_offset", nullptr), HasSubstr("nested_offset"));
  EXPECT_THAT(RefusalOf(up + ".nested_quant_map", at::zeros({3})), HasSubstr("nested_quant_map"));
}

}  // namespace
}  // namespace fpo::train

#include "train/nf4/nf4_tensor.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <cstdlib>

#include "gtest/gtest.h"
#include "tests/train/cuda/serial_table.h"
#include "train/cuda/cuda_library.h"
#include "train/formats/safetensors.h"

namespace fpo::train {
namespace {

// Of tests/golden/make_nf4_goldens.py: what bitsandbytes made of some matrices.
class Nf4TensorTest : public ::testing::Test {
 protected:
  static constexpr const char* kCases[] = {"normal", "part of a block", "outliers and zeros",
                                           "middles"};
  void SetUp() override {
    const char* const source = std::getenv("FPO_SOURCE_DIR");
    ASSERT_NE(source, nullptr);
    const auto file = SafetensorsFile::Open(std::string(source) + "/tests/golden/nf4.safetensors");
    ASSERT_TRUE(file.ok()) << file.status();
    file_ = *file;
  }
  at::Tensor Golden(const std::string& name) const { return file_->Tensor(name)->clone(); }
  Nf4Tensor Packed(const std::string& name, bool nested) const {
    return *QuantiseNf4(Golden(name + ".weight"), nested);
  }

  std::shared_ptr<const SafetensorsFile> file_;
};

TEST_F(Nf4TensorTest, HasTheBytesOfBitsandbytes) {
  EXPECT_TRUE(at::equal(DynamicMap(), Golden("dynamic_map")));
  for (const std::string name : kCases) {
    const Nf4Tensor plain = Packed(name, false), nested = Packed(name, true);
    EXPECT_TRUE(at::equal(plain.codes, Golden(name + ".codes"))) << name;
    EXPECT_TRUE(at::equal(plain.absmax, Golden(name + ".absmax"))) << name;
    EXPECT_TRUE(at::equal(nested.codes, plain.codes)) << name;
    EXPECT_TRUE(at::equal(nested.absmax, Golden(name + ".nested_codes"))) << name;
    // A unit in the last place of the offset, whose sum LibTorch takes in its own order, moves
    // these by as much.
    EXPECT_TRUE(at::allclose(nested.nested_absmax, Golden(name + ".nested_absmax"), 0, 1e-6F))
        << name;
    EXPECT_FLOAT_EQ(nested.offset, Golden(name + ".offset").item<float>()) << name;
  }
}

TEST_F(Nf4TensorTest, ComesBackAsFromBitsandbytes) {
  for (const std::string name : kCases) {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      const std::string word = type == at::kFloat ? "float32" : "bfloat16";
      EXPECT_TRUE(at::equal(DequantisedNf4(Packed(name, false), type), Golden(name + "." + word)))
          << name << " " << word;
      Nf4Tensor nested = Packed(name, true);
      nested.nested_absmax = Golden(name + ".nested_absmax");
      nested.offset = Golden(name + ".offset").item<float>();
      EXPECT_TRUE(at::equal(DequantisedNf4(nested, type), Golden(name + ".nested_" + word)))
          << name << " " << word;
      EXPECT_TRUE(at::equal(DequantisedNf4(nested, at::kDouble).to(type),
                            Golden(name + ".nested_" + word)));
    }
  }
}

// The kernel of libfpo_cuda.so, computed on this processor.
TEST_F(Nf4TensorTest, IsTheSameByTheCudaKernel) {
  for (const std::string name : kCases) {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      for (const bool nested : {false, true}) {
        const Nf4Tensor packed = Packed(name, nested);
        const at::Tensor expected = DequantisedNf4(packed, type);
        const CudaTableInScope scope(SerialCudaTable());
        EXPECT_TRUE(at::equal(DequantisedNf4(packed, type), expected)) << name << nested;
      }
    }
  }
}

TEST_F(Nf4TensorTest, IsTheSameForAnyNumberOfThreads) {
  at::manual_seed(3);
  const at::Tensor weight = at::randn({512, 640});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Nf4Tensor one = *QuantiseNf4(weight, true);
  const at::Tensor dense = DequantisedNf4(one, at::kFloat);
  at::set_num_threads(3);
  const Nf4Tensor three = *QuantiseNf4(weight, true);
  EXPECT_TRUE(at::equal(DequantisedNf4(three, at::kFloat), dense));
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(one.codes, three.codes));
  EXPECT_EQ(one.offset, three.offset);
  // 4 bits a weight, 8 a block of 64, and float32 for 256 of these.
  EXPECT_EQ(one.Bytes(), 512 * 640 / 2 + 512 * 640 / 64 + 512 * 640 / 64 / 256 * 4 + 1024);
  EXPECT_LT((dense - weight).norm().item<double>() / weight.norm().item<double>(), 0.1);
}

TEST_F(Nf4TensorTest, RefusesWhatIsNotFinite) {
  for (const double bad : {std::nan(""), HUGE_VAL}) {
    at::Tensor weight = at::ones({4, 100});
    weight[3][70] = bad;
    EXPECT_TRUE(absl::IsInvalidArgument(QuantiseNf4(weight, true).status())) << bad;
  }
}

}  // namespace
}  // namespace fpo::train

// Which kernels the numeric libraries use, as they say themselves: under
// tests/support/on_processor.sh they must be those of the lesser processor, or the tests that run
// there would only repeat what they did before.

#include <ATen/ATen.h>
#include <ATen/Version.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace fpo::train {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

// What MKL and oneDNN print about themselves at their first call: this program makes no other.
std::string FirstWords() {
  setenv("MKL_VERBOSE", "1", 1);
  setenv("ONEDNN_VERBOSE", "1", 1);
  ::testing::internal::CaptureStdout();
  at::matmul(at::ones({8, 8}), at::ones({8, 8}));
  at::mkldnn_convolution(at::ones({1, 8, 8, 8}), at::ones({8, 8, 3, 3}), {}, {0, 0}, {1, 1}, {1, 1},
                         1);
  std::fflush(stdout);
  return ::testing::internal::GetCapturedStdout();
}

TEST(Processor, IsTheOneTheTestsWereToldToRunOn) {
  const char* wanted = std::getenv("FPO_TEST_PROCESSOR");
  const std::string processor = wanted == nullptr ? "" : wanted;
  const std::string aten = at::get_cpu_capability(), words = FirstWords();
  std::printf("FPO_TEST_PROCESSOR=%s: ATen %s\n%s", processor.c_str(), aten.c_str(), words.c_str());
  ASSERT_THAT(words, HasSubstr("MKL_VERBOSE"));
  ASSERT_THAT(words, HasSubstr("onednn_verbose"));
  if (processor == "avx2") {
    EXPECT_EQ(aten, "AVX2");
    EXPECT_THAT(words, Not(HasSubstr("AVX-512")));
    EXPECT_THAT(words, Not(HasSubstr("Vector Extensions 512")));
  } else if (processor == "baseline") {
    EXPECT_EQ(aten, "DEFAULT");
    EXPECT_THAT(words, HasSubstr("CNR:COMPATIBLE"));
    EXPECT_THAT(words, Not(HasSubstr("AVX")));
  } else {
    EXPECT_EQ(processor, "") << "on_processor.sh knows avx2 and baseline";
  }
}

}  // namespace
}  // namespace fpo::train

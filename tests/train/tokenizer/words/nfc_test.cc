#include "train/tokenizer/words/nfc.h"

#include <gtest/gtest.h>

namespace fpo::train {
namespace {

// The golden texts of byte_level_golden_test.cc have what is harder.
TEST(Nfc, ComposesAndOrders) {
  EXPECT_EQ(NormalisedToNfc("e\xCC\x81"), "\xC3\xA9");
  EXPECT_EQ(NormalisedToNfc("\xE2\x84\xAB"), "\xC3\x85") << "the sign of the angstrom";
  EXPECT_EQ(NormalisedToNfc("\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8"), "\xEA\xB0\x81");
  EXPECT_EQ(NormalisedToNfc("\xE0\xA5\x98"), "\xE0\xA4\x95\xE0\xA4\xBC") << "an exclusion";
  const std::string with_zero("a\0\xC3\xA9\xCC\xA3", 6);
  EXPECT_EQ(NormalisedToNfc(with_zero), std::string("a\0\xE1\xBA\xB9\xCC\x81", 7));
  EXPECT_EQ(NormalisedToNfc("plain"), "plain");
  const std::string no_consonant = "\xEA\xB0\x80\xE1\x86\xA7";  // U+AC00 U+11A7
  EXPECT_EQ(NormalisedToNfc(no_consonant), no_consonant);
}

}  // namespace
}  // namespace fpo::train

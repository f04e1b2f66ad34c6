#include "common/text/label.h"

#include <string>

#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(Label, NamesArePlainWords) {
  for (const char* good : {"team", "a.b/c_d-1", "A"}) EXPECT_TRUE(IsLabelName(good)) << good;
  for (const char* bad : {"", "a b", "a=b", "ä", "a\n"}) EXPECT_FALSE(IsLabelName(bad)) << bad;
  EXPECT_FALSE(IsLabelName(std::string(64, 'a')));
}

TEST(Label, ValuesAreTextOnOneLine) {
  for (const char* good : {"", "red", "two words", "größer", "a=b"}) {
    EXPECT_TRUE(IsLabelValue(good)) << good;
  }
  EXPECT_FALSE(IsLabelValue("a\nb"));
  EXPECT_FALSE(IsLabelValue(std::string(256, 'a')));
}

}  // namespace
}  // namespace fpo

#include "common/text/principal_name.h"

#include <string>

#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(PrincipalName, IsAPlainWord) {
  for (const char* good : {"ana", "host-1", "ana@site.example", "A_1"}) {
    EXPECT_TRUE(IsPrincipalName(good)) << good;
  }
  for (const char* bad : {"", "a b", "a/b", "a:b", "ä", "a\n"}) {
    EXPECT_FALSE(IsPrincipalName(bad)) << bad;
  }
  EXPECT_FALSE(IsPrincipalName(std::string(65, 'a')));
}

}  // namespace
}  // namespace fpo

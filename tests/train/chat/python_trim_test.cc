#include "train/chat/python_trim.h"

#include <gtest/gtest.h>

namespace fpo::train {
namespace {

TEST(PythonTrimTest, RemovesWhatPythonsStripRemoves) {
  EXPECT_EQ(PythonTrim(" \t\r\n\x0b\x0c\x1c\x1f hi \n"), "hi");
  EXPECT_EQ(
      PythonTrim("\xC2\x85\xC2\xA0\xE1\x9A\x80\xE2\x80\x8A\xE2\x80\xA8\xE3\x80\x80hi\xE2\x81\x9F"),
      "hi");
  EXPECT_EQ(PythonTrimEnd(" hi\xE2\x80\xAF"), " hi");
  EXPECT_EQ(PythonTrim(" \n"), "");
  EXPECT_EQ(PythonTrim(""), "");
}

TEST(PythonTrimTest, KeepsTheRest) {
  // Zero width space, byte order mark and combining marks are no white space.
  for (const char* text : {"\xE2\x80\x8Bhi\xEF\xBB\xBF", "e\xCC\x81", "\x01", "\xF0\x9F\x91\xA9"}) {
    EXPECT_EQ(PythonTrim(text), text);
  }
}

}  // namespace
}  // namespace fpo::train

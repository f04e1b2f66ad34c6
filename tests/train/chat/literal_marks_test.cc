#include "train/chat/literal_marks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "train/chat/rendered_row.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;

const LiteralMarks& Marks() {
  static const LiteralMarks marks({"<end>", "<endless>", "<bos>"});
  return marks;
}

TEST(LiteralMarksTest, FollowsMarksThroughARendering) {
  std::vector<Message> messages = {{"user", "a<end>b<endless>"}, {"assistant", "<bos>"}};
  const std::string flag = Marks().Flag(&messages);
  ASSERT_FALSE(flag.empty());
  const MarkedText text = LiteralMarks::Unflagged(
      "<bos>" + messages[0].content + "<end>" + messages[1].content + "<end>", flag);
  EXPECT_EQ(text.text, "<bos>a<end>b<endless><end><bos><end>");
  EXPECT_THAT(text.literal, ElementsAre(6, 12, 26));
  EXPECT_THAT(Joined({"xx", {1}}, text).literal, ElementsAre(1, 8, 14, 28));
}

TEST(LiteralMarksTest, LeavesMessagesWithoutMarksAlone) {
  std::vector<Message> messages = {{"user", "a <end b"}};
  EXPECT_EQ(Marks().Flag(&messages), "");
  EXPECT_EQ(messages[0].content, "a <end b");
  EXPECT_TRUE(LiteralMarks::Unflagged("a<end>", "").literal.empty());
}

TEST(LiteralMarksTest, TakesANoncharacterThatNoMessageHas) {
  std::vector<Message> messages = {{"user", "\xEF\xB7\x90<end>", {"\xEF\xB7\x90", "<end>"}}};
  const std::string flag = Marks().Flag(&messages);
  EXPECT_EQ(flag, "\xEF\xB7\x91");
  EXPECT_EQ(LiteralMarks::Unflagged(messages[0].content, flag).text, "\xEF\xB7\x90<end>");
  EXPECT_EQ(messages[0].parts[1], flag + "<end>");
}

TEST(LiteralMarksTest, FlagsMarksThatPartsMakeTogether) {
  std::vector<Message> messages = {{"user", "a<en \n d>b", {" a<en ", "\n d>b"}},
                                   {"user", "<<b<os>x", {"<<b", "", "<os", ">x"}},
                                   {"user", "<b", {"<b", "x", "os>"}}};
  const std::string flag = Marks().Flag(&messages);
  EXPECT_EQ(messages[0].parts[0], " a" + flag + "<en ");
  EXPECT_EQ(messages[0].parts[1], "\n d>b");
  EXPECT_EQ(messages[1].parts[0], "<<b");
  EXPECT_EQ(messages[2].parts[0], "<b");
  messages = {{"user", "<bos>", {"<", "b", "os>"}}};
  Marks().Flag(&messages);
  EXPECT_EQ(messages[0].parts[0], flag + "<");
  EXPECT_EQ(messages[0].parts[1], "b");
}

TEST(LiteralMarksTest, AFlagIsFoundHoweverManyAreTaken) {
  std::string all;
  for (int i = 0; i < 16; ++i) all += std::string("\xEF\xB7") + static_cast<char>(0x90 + i);
  all += "\xEF\xB7\x90\xEF\xB7\x91\xEF\xB7\x91";
  std::vector<Message> messages = {{"user", all + "<end>" + all}};
  const std::string flag = Marks().Flag(&messages);
  EXPECT_EQ(flag, "\xEF\xB7\x90\xEF\xB7\x91\xEF\xB7\x91\xEF\xB7\x91");
  const MarkedText text = LiteralMarks::Unflagged(messages[0].content, flag);
  EXPECT_EQ(text.text, all + "<end>" + all);
  EXPECT_THAT(text.literal, ElementsAre(all.size()));
}

TEST(RenderedRowTest, FlagsAllMessagesAlike) {
  Conversation row{{{"user", "q<end>"}}, {"assistant", "c"}, Message{"assistant", "<end>"}};
  const std::string flag = FlagMarks(Marks(), &row);
  EXPECT_EQ(row.prompt[0].content, "q" + flag + "<end>");
  EXPECT_EQ(row.chosen.content, "c");
  EXPECT_EQ(row.rejected->content, flag + "<end>");
}

}  // namespace
}  // namespace fpo::train

#include "train/chat/built_in_turns.h"

#include <gtest/gtest.h>

namespace fpo::train {
namespace {

const Message kUser{"user", " hi\n"}, kAnswer{"assistant", " yes "},
    kSystem{"system", " Be brief.\n"};

TEST(BuiltInTurnsTest, GemmaTrimsTurnsAndKeepsTheSystemMessage) {
  EXPECT_EQ(*GemmaTurns({kSystem, kUser, kAnswer, kUser}, true),
            "<bos><start_of_turn>user\n Be brief.\n\n\nhi<end_of_turn>\n<start_of_turn>model\nyes"
            "<end_of_turn>\n<start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\n");
  EXPECT_EQ(*GemmaTurns({kUser}, false), "<bos><start_of_turn>user\nhi<end_of_turn>\n");
  EXPECT_EQ(GemmaContent({"user", " a  b ", {" a ", " b "}}), "ab");
}

TEST(BuiltInTurnsTest, HaloTrimsNothing) {
  EXPECT_EQ(*HaloTurns({kUser, kAnswer, kUser}, true),
            "<bos>\n<|user|>\n hi\n\n<|assistant|>\n yes \n<|user|>\n hi\n\n<|assistant|>\n");
}

TEST(BuiltInTurnsTest, RolesMustAlternate) {
  for (const auto turns : {GemmaTurns, HaloTurns}) {
    EXPECT_FALSE(turns({kUser, kUser}, true).ok());
    EXPECT_FALSE(turns({kAnswer}, true).ok());
    EXPECT_FALSE(turns({kUser, kSystem}, true).ok());
    EXPECT_FALSE(turns({{"tool", "a"}}, true).ok());
  }
}

}  // namespace
}  // namespace fpo::train

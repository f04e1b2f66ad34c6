#include "common/job/job_node.h"

#include "gtest/gtest.h"

namespace fpo {
namespace {

JobNode Text(const std::string& text) {
  JobNode node;
  node.kind = JobNode::Kind::kScalar;
  node.text = text;
  return node;
}

TEST(JobNode, JsonTextIsQuotedAndNumbersArePlain) {
  const auto node = JobNodeFromJson(R"({"a":"1","b":1,"c":[true,null]})");
  ASSERT_TRUE(node.ok());
  EXPECT_TRUE(node->Find("a")->quoted);
  EXPECT_FALSE(node->Find("b")->quoted);
  EXPECT_EQ(node->Find("c")->items[0].text, "true");
  EXPECT_EQ(node->Find("d"), nullptr);
}

TEST(JobNode, SettingMakesTheWayAndRefusesScalars) {
  JobNode root;
  ASSERT_TRUE(SetJobNode(&root, "a.b", Text("x")).ok());
  EXPECT_EQ(root.Find("a")->Find("b")->text, "x");
  EXPECT_FALSE(SetJobNode(&root, "a.b.c", Text("y")).ok());
  EXPECT_FALSE(SetJobNode(&root, "a..c", Text("y")).ok());
}

}  // namespace
}  // namespace fpo

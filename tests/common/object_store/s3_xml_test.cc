#include "common/object_store/s3_xml.h"

#include <gtest/gtest.h>

namespace fpo {
namespace {

TEST(S3Xml, ElementsKeepTheirTextAndOrder) {
  const auto root = ParseS3Xml(
      "<?xml version='1.0'?><List xmlns='http://x/'><Contents><ETag>&quot;a&quot;</ETag></Contents>"
      "<Contents><ETag>b</ETag></Contents><Empty/></List>");
  ASSERT_TRUE(root.ok()) << root.status();
  EXPECT_EQ(root->name, "List");
  ASSERT_EQ(root->children.size(), 3u);
  EXPECT_EQ(root->children[0].TextOf("ETag"), "\"a\"");
  EXPECT_EQ(root->children[1].TextOf("ETag"), "b");
  EXPECT_EQ(root->TextOf("Empty"), "");
  EXPECT_EQ(root->Find("Missing"), nullptr);
}

TEST(S3Xml, WhatIsNoAnswerOfS3IsRefused) {
  std::string deep;
  for (int i = 0; i < 9; ++i) deep += "<a>";
  for (const std::string& text : {std::string(""), std::string("<html>"), std::string("no XML"),
                                  deep, std::string("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"),
                                  std::string("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>")}) {
    EXPECT_TRUE(absl::IsDataLoss(ParseS3Xml(text).status())) << text;
  }
}

}  // namespace
}  // namespace fpo

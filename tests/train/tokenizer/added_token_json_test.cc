#include "train/tokenizer/added_token_json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

TEST(AddedTokenJsonTest, ReadsTheFlags) {
  const auto token = ParseAddedToken(
      Json::parse(R"({"content":"<m>","lstrip":true,"rstrip":false,"normalized":true,
                      "special":true,"single_word":false,"__type":"AddedToken"})"),
      "f");
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->content, "<m>");
  EXPECT_TRUE(token->lstrip && !token->rstrip && token->normalized && token->special);
}

TEST(AddedTokenJsonTest, RefusesByName) {
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {"3", "not an object"},
           {"{}", "content"},
           {R"({"content":""})", "content"},
           {R"({"content":7})", "content"},
           {R"({"content":"a","lstrip":1})", "lstrip"},
           {R"({"content":"a","special":null})", "special"}}) {
    const auto token = ParseAddedToken(Json::parse(text), "f: t[0]");
    EXPECT_TRUE(absl::IsDataLoss(token.status())) << text;
    EXPECT_TRUE(absl::StartsWith(token.status().message(), "f: t[0]")) << token.status();
    EXPECT_TRUE(absl::StrContains(token.status().message(), why)) << token.status();
  }
  EXPECT_FALSE(ParseAddedToken(Json{{"content", std::string(2000, 'a')}}, "f").ok());
  const auto word = ParseAddedToken(Json::parse(R"({"content":"a","single_word":true})"), "f");
  EXPECT_TRUE(absl::IsInvalidArgument(word.status()));
  EXPECT_TRUE(absl::StrContains(word.status().message(), "single_word"));
  EXPECT_EQ(*ParseTokenId(Json(7), "f"), 7);
  for (const Json& bad : {Json(-1), Json(2'000'000), Json(1.0), Json("1"), Json()}) {
    EXPECT_TRUE(absl::IsDataLoss(ParseTokenId(bad, "f").status())) << bad;
  }
}

TEST(AddedTokenJsonTest, AnIdMustBeTheOneThatTheLibraryGives) {
  TokenizerSpec spec;
  spec.file = "tokenizer.json";
  spec.bpe.pieces = {"<pad>", "a", "b"};
  AddedTokenIndex index(&spec);
  EXPECT_TRUE(index.Add({"<pad>", 0}, "f").ok());
  EXPECT_TRUE(index.Add({"<new>", 3}, "f").ok());
  EXPECT_EQ(index.IdOf("<new>"), 3);
  const auto message = [](const absl::Status& status) {
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  EXPECT_TRUE(absl::StrContains(message(index.Add({"b", 1}, "f")), "it is id 2"));
  EXPECT_TRUE(absl::StrContains(message(index.Add({"<other>", 1}, "f")), "that is \"a\""));
  EXPECT_TRUE(absl::StrContains(message(index.Add({"<other>", 9}, "f")), "next free id is 4"));
  EXPECT_TRUE(absl::StrContains(message(index.Add({"<new>", 4}, "f")), "it is id 3"));
  AddedToken again{"<new>", 3};
  again.lstrip = true;
  EXPECT_TRUE(index.Add(again, "f").ok());
  ASSERT_EQ(spec.added.size(), 2u);
  EXPECT_TRUE(spec.added[1].lstrip);
  EXPECT_TRUE(index.IsAdded("<new>") && !index.IsAdded("b"));
}

}  // namespace
}  // namespace fpo::train

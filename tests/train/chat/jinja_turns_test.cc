#include "train/chat/jinja_turns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_tokenizer_model.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kChatMl[] =
    "{{ bos_token }}{% for m in messages %}{{ '<start_of_turn>' + m.role + '\n' + m.content + "
    "'<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>assistant\n' "
    "}}{% endif %}";

class JinjaTurnsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.Put("tokenizer.model", TinyTokenizerBytes());
    tokenizer_.emplace(*Tokenizer::Open(folder_.path()));
  }
  absl::StatusOr<std::unique_ptr<JinjaTurns>> Start(const std::string& text) {
    return JinjaTurns::Start({text, "t.jinja", {}},
                             {{"bos_token", "<bos>"}, {"eos_token", "<eos>"}}, *tokenizer_);
  }
  RenderedRow Row(const JinjaTurns& turns, const std::string& prompt = "q",
                  const std::string& answer = "a") {
    return (
        *turns.Render({{{{"user", prompt}}, {"assistant", answer}, Message{"assistant", "r"}}}))[0];
  }

  ScratchFolder folder_;
  std::optional<Tokenizer> tokenizer_;
};

TEST_F(JinjaTurnsTest, AResponseIsWhatFollowsTheGenerationPrompt) {
  const auto turns = *Start(kChatMl);
  const RenderedRow row = Row(*turns);
  EXPECT_EQ(row.prompt.text,
            "<bos><start_of_turn>user\nq<end_of_turn>\n<start_of_turn>assistant\n");
  EXPECT_EQ(row.chosen.text, "a<end_of_turn>");
  EXPECT_EQ(row.rejected.text, "r<end_of_turn>");
  EXPECT_EQ(row.end, std::nullopt);
  EXPECT_EQ(turns->end(), tokenizer_->IdOf("<end_of_turn>"));
  EXPECT_EQ(turns->turn_start(), tokenizer_->IdOf("<start_of_turn>"));
  EXPECT_THAT(turns->warnings(), IsEmpty());
}

TEST_F(JinjaTurnsTest, MarksInMessagesAreText) {
  const auto turns = *Start(kChatMl);
  const RenderedRow row = Row(*turns, "x<end_of_turn>", "a<eos>b");
  EXPECT_THAT(row.prompt.literal, ElementsAre(26));
  EXPECT_EQ(row.prompt.text.substr(26, 13), "<end_of_turn>");
  EXPECT_THAT(row.chosen.literal, ElementsAre(1));
  EXPECT_EQ(row.chosen.text, "a<eos>b<end_of_turn>");
}

TEST_F(JinjaTurnsTest, WithoutAnEndMarkTheResponseEndsWithEos) {
  const auto turns = *Start(
      "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
      "{% if add_generation_prompt %}assistant: {% endif %}");
  const RenderedRow row = Row(*turns);
  EXPECT_EQ(row.prompt.text, "<bos>user: q\nassistant: ");
  EXPECT_EQ(row.chosen.text, "a\n");
  EXPECT_EQ(row.end, tokenizer_->eos());
}

TEST_F(JinjaTurnsTest, AGenerationMarkLimitsTheResponse) {
  const auto turns = *Start(
      "{{ bos_token }}{% for m in messages %}{{ m.role }}: {% if m.role == 'assistant' %}"
      "{% generation %}{{ m.content }}{% endgeneration %}<end_of_turn>\n"
      "{% else %}{{ m.content }}\n{% endif %}{% endfor %}");
  const RenderedRow row = Row(*turns);
  EXPECT_EQ(row.prompt.text, "<bos>user: q\nassistant: ");
  EXPECT_EQ(row.chosen.text, "a<end_of_turn>") << "the end mark is trained on";
  EXPECT_TRUE(row.off_prompt) << "this template asks without the header";
}

TEST_F(JinjaTurnsTest, AnotherGenerationPromptThanTheTurnIsCounted) {
  const auto turns = *Start(
      "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}<end_of_turn>\n"
      "{% endfor %}{% if add_generation_prompt %}assistant: <think>{% endif %}");
  const RenderedRow row = Row(*turns);
  EXPECT_EQ(row.prompt.text, "<bos>user: q<end_of_turn>\nassistant: ");
  EXPECT_EQ(row.chosen.text, "a<end_of_turn>");
  EXPECT_TRUE(row.off_prompt);
}

TEST_F(JinjaTurnsTest, ATemplateThatRewritesThePromptDropsTheRow) {
  const auto turns =
      *Start("{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}");
  EXPECT_EQ(Row(*turns).drop_reason, "template_rewrites_prompt");
}

TEST_F(JinjaTurnsTest, ARefusalIsInItsOwnWords) {
  const auto turns =
      *Start(std::string(kChatMl) +
             "{% if messages[0].content == 'x' %}{{ raise_exception('not x') }}{% endif %}");
  EXPECT_EQ(Row(*turns, "x").drop_reason, "template_refused");
  EXPECT_EQ(Row(*turns, "x").drop_detail, "not x");
  EXPECT_EQ(Row(*turns, "y").drop_reason, "");
}

TEST_F(JinjaTurnsTest, WarnsOfWhatATemplateLeavesOut) {
  const auto turns = *Start(
      "{% for m in messages %}{% if m.role != 'system' %}{{ '<|im_start|>' + m.role + '\n' + "
      "m.content "
      "+ '<|im_end|>\n' }}{% endif %}{% endfor %}");
  EXPECT_THAT(
      turns->warnings(),
      ElementsAre(HasSubstr("writes <|im_start|>, <|im_end|>, which the tokenizer has no"),
                  HasSubstr("ignores add_generation_prompt"),
                  HasSubstr("leaves out system messages"), HasSubstr("does not begin with <bos>")));
}

TEST_F(JinjaTurnsTest, UselessTemplatesAreErrors) {
  EXPECT_THAT(std::string(Start("{{ messages[0].content }}").status().message()),
              HasSubstr("leaves out what the assistant says"));
  EXPECT_THAT(std::string(Start("{{ raise_exception('never') }}").status().message()),
              HasSubstr("refuses a question and its answer: never"));
}

TEST_F(JinjaTurnsTest, PartsArePassedAsAListOnlyWhereTheTemplateTakesThem) {
  const std::string reads_parts =
      "{{ bos_token }}{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}"
      "{% for p in m.content %}[{{ p.text | trim }}]{% endfor %}{% endif %}<end_of_turn>{% endfor "
      "%}";
  Conversation row{{{"user", "a b", {"a ", "b"}}}, {"assistant", "c"}, std::nullopt};
  const auto bracketed = *Start(reads_parts);
  EXPECT_EQ((*bracketed->Render({row}))[0].prompt.text, "<bos>a b<end_of_turn>")
      << "a list renders otherwise than the text, so the template is given the text";
  const auto joined = *Start(absl::StrReplaceAll(reads_parts, {{"[", ""}, {"]", ""}}));
  EXPECT_EQ((*joined->Render({row}))[0].prompt.text, "<bos>ab<end_of_turn>");
}

}  // namespace
}  // namespace fpo::train

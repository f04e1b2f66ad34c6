#include "train/data/chat_template.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_tokenizer_model.h"
#include "train/data/preference_dataset.h"

namespace fpo::train {
namespace {

class ChatTemplateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.Put("tokenizer.model", TinyTokenizerBytes());
    tokenizer_.emplace(*Tokenizer::Open(folder_.path()));
  }
  ChatTemplate Make(const std::string& name) {
    auto made = ChatTemplate::Create(name, *tokenizer_, folder_.path());
    EXPECT_TRUE(made.ok()) << made.status();
    return *made;
  }
  static PreferenceRow Messages(std::vector<Message> prompt, std::vector<Message> chosen) {
    PreferenceRow row;
    row.kind = PreferenceRow::Kind::kMessages;
    row.prompt_messages = std::move(prompt);
    row.chosen_messages = std::move(chosen);
    return row;
  }
  static PreferenceRow Strings() {
    return *ParsePreferenceRow(R"({"prompt":" p ","chosen":" c\n","rejected":"r"})", "auto");
  }

  ScratchFolder folder_;
  std::optional<Tokenizer> tokenizer_;
};

TEST_F(ChatTemplateTest, GemmaTurns) {
  const auto text = Make("gemma").Render(Messages(
      {{"user", " hi\n"}, {"assistant", "yes"}, {"user", "more"}}, {{"assistant", " ok "}}));
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(text->prompt,
            "<bos><start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\nyes<end_of_turn>\n"
            "<start_of_turn>user\nmore<end_of_turn>\n<start_of_turn>model\n");
  EXPECT_EQ(text->chosen, "ok");
}

TEST_F(ChatTemplateTest, SystemGoesInFrontOfTheFirstUser) {
  const auto text =
      Make("gemma").Render(Messages({{"system", "be kind"}, {"user", "hi"}}, {{"assistant", "a"}}));
  EXPECT_EQ(text->prompt,
            "<bos><start_of_turn>user\nbe kind\n\nhi<end_of_turn>\n<start_of_turn>model\n");
}

TEST_F(ChatTemplateTest, TrimsWhatPythonTrims) {
  const auto row = Messages({{"user", "\xC2\xA0\xE3\x80\x80hi\xE2\x80\x89\t"}},
                            {{"assistant", "\x1Fok\xC3\xA9"}});
  const auto text = Make("gemma").Render(row);
  EXPECT_TRUE(absl::StrContains(text->prompt, "user\nhi<end_of_turn>"));
  EXPECT_EQ(text->chosen, "ok\xC3\xA9");
}

TEST_F(ChatTemplateTest, BadRoles) {
  const ChatTemplate gemma = Make("gemma");
  const Message user = {"user", "a"}, assistant = {"assistant", "b"}, tool = {"tool", "c"};
  EXPECT_FALSE(gemma.Render(Messages({user, user}, {assistant})).ok());
  EXPECT_FALSE(gemma.Render(Messages({assistant, user}, {assistant})).ok());
  EXPECT_FALSE(gemma.Render(Messages({user, assistant}, {assistant})).ok());
  EXPECT_FALSE(gemma.Render(Messages({tool}, {assistant})).ok());
  EXPECT_FALSE(gemma.Render(Messages({}, {assistant})).ok());
  EXPECT_FALSE(gemma.Render(Messages({user}, {user})).ok());
  EXPECT_FALSE(gemma.Render(Messages({user}, {assistant, user, assistant})).ok());
}

TEST_F(ChatTemplateTest, NoneJoinsAsIs) {
  const ChatTemplate none = Make("none");
  const auto text = none.Render(Strings());
  EXPECT_EQ(text->prompt, "<bos> p ");
  EXPECT_EQ(text->chosen, " c\n");
  EXPECT_EQ(none.Terminator(Strings()), tokenizer_->eos());
  const auto transcript = *ParsePreferenceRow(
      R"({"chosen":"\n\nHuman: a\n\nAssistant: b","rejected":"\n\nHuman: a\n\nAssistant: c"})",
      "auto");
  EXPECT_EQ(none.Render(transcript)->prompt, "<bos>\n\nHuman: a\n\nAssistant:");
  EXPECT_EQ(Make("gemma").Render(transcript)->prompt,
            "<bos><start_of_turn>user\na<end_of_turn>\n<start_of_turn>model\n");
}

TEST_F(ChatTemplateTest, AutoFollowsTheModelsOwnTemplate) {
  EXPECT_EQ(Make("auto").Render(Strings())->prompt, "<bos> p ");
  const auto chat = Messages({{"user", "hi"}}, {{"assistant", "a"}});
  EXPECT_TRUE(absl::StrContains(Make("auto").Render(chat)->prompt, "<start_of_turn>user"));
  folder_.Put("tokenizer_config.json", R"({"chat_template": "{{ '<start_of_turn>' + role }}"})");
  EXPECT_EQ(Make("auto").Render(Strings())->prompt,
            "<bos><start_of_turn>user\np<end_of_turn>\n<start_of_turn>model\n");
  EXPECT_EQ(Make("auto").Terminator(Strings()), *tokenizer_->IdOf("<end_of_turn>"));
}

TEST_F(ChatTemplateTest, NamesThatCannotBeServed) {
  const auto halo = ChatTemplate::Create("halo", *tokenizer_, folder_.path());
  EXPECT_TRUE(absl::StrContains(halo.status().message(), "HALOs"));
  EXPECT_TRUE(
      absl::IsInvalidArgument(ChatTemplate::Create("llama", *tokenizer_, folder_.path()).status()));
}

TEST_F(ChatTemplateTest, AgreesWithGemma2sOwnTemplate) {
  // What google-gemma-2-2b-it's Jinja template gives for this conversation, generation prompt
  // added.
  const auto text = Make("gemma").Render(
      Messages({{"user", "Hello"}, {"assistant", "Hi there"}, {"user", "Who are you"}},
               {{"assistant", "x"}}));
  EXPECT_EQ(
      text->prompt,
      "<bos><start_of_turn>user\nHello<end_of_turn>\n<start_of_turn>model\nHi there<end_of_turn>"
      "\n<start_of_turn>user\nWho are you<end_of_turn>\n<start_of_turn>model\n");
}

}  // namespace
}  // namespace fpo::train

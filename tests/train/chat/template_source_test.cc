#include "train/chat/template_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string WhyNot(const std::string& folder) {
  return std::string(FindTemplate(folder).status().message());
}

TEST(TemplateSourceTest, ThreeFilesInTheOrderOfTransformers) {
  const ScratchFolder folder;
  EXPECT_FALSE(FindTemplate(folder.path())->has_value());
  folder.Put("chat_template.json", R"({"chat_template":"older"})");
  EXPECT_EQ((*FindTemplate(folder.path()))->text, "older");
  folder.Put("tokenizer_config.json", R"({"chat_template":"config"})");
  const auto config = *FindTemplate(folder.path());
  EXPECT_EQ(config->text, "config");
  EXPECT_EQ(config->name, "tokenizer_config.json");
  EXPECT_THAT(config->warnings, ElementsAre(HasSubstr("two different chat templates")));
  folder.Put("chat_template.jinja", "own file");
  EXPECT_EQ((*FindTemplate(folder.path()))->text, "own file");
  folder.Put("chat_template.json", R"({"chat_template":"own file"})");
  folder.Put("tokenizer_config.json", R"({"chat_template":null})");
  EXPECT_THAT((*FindTemplate(folder.path()))->warnings, IsEmpty());
}

TEST(TemplateSourceTest, NamedTemplates) {
  const ScratchFolder folder;
  folder.Put(
      "tokenizer_config.json",
      R"({"chat_template":[{"name":"tool_use","template":"t"},{"name":"default","template":"d"}]})");
  EXPECT_EQ((*FindTemplate(folder.path()))->text, "d");
  folder.Put("tokenizer_config.json", R"({"chat_template":{"default":"d2","rag":"r"}})");
  EXPECT_EQ((*FindTemplate(folder.path()))->text, "d2");
  folder.Put("tokenizer_config.json", R"({"chat_template":[{"name":"rag","template":"t"}]})");
  EXPECT_THAT(WhyNot(folder.path()),
              HasSubstr("without a template named \"default\" (it has rag)"));
  folder.Put("tokenizer_config.json", R"({"chat_template":5})");
  EXPECT_THAT(WhyNot(folder.path()), HasSubstr("chat_template is number"));
}

// additional_chat_templates/NAME.jinja, as transformers 4.53 and later write several templates.
TEST(TemplateSourceTest, NamedTemplatesInFiles) {
  const ScratchFolder folder;
  folder.Put("tokenizer_config.json", R"({"chat_template":"config"})");
  folder.Put("additional_chat_templates/rag.jinja", "r");
  folder.Put("additional_chat_templates/tool_use.jinja", "t");
  EXPECT_THAT(WhyNot(folder.path()), HasSubstr("no template named \"default\" (it has rag, tool_"));
  folder.Put("tokenizer_config.json", "{}");
  EXPECT_THAT(WhyNot(folder.path()), HasSubstr("data.template: FILE.jinja"));
  folder.Put("chat_template.jinja", "own file");
  EXPECT_EQ((*FindTemplate(folder.path()))->text, "own file");
  EXPECT_THAT((*FindTemplate(folder.path()))->warnings, IsEmpty());
  folder.Put("additional_chat_templates/default.jinja", "named");
  const auto named = *FindTemplate(folder.path());
  EXPECT_EQ(named->text, "named");
  EXPECT_EQ(named->name, "additional_chat_templates/default.jinja");
  EXPECT_THAT(named->warnings, ElementsAre(HasSubstr("two different chat templates")));
}

TEST(TemplateSourceTest, BrokenFilesAreNamed) {
  const ScratchFolder folder;
  folder.Put("tokenizer_config.json", "{");
  EXPECT_THAT(WhyNot(folder.path()), HasSubstr("tokenizer_config.json is not JSON"));
  folder.Put("tokenizer_config.json", "{}");
  folder.Put("chat_template.jinja", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
  EXPECT_THAT(WhyNot(folder.path()), HasSubstr("git lfs pull"));
  folder.Put("chat_template.jinja", "\xFF\xFE");
  EXPECT_THAT(WhyNot(folder.path()), HasSubstr("not UTF-8 at byte 1"));
  EXPECT_TRUE(absl::IsNotFound(ReadTemplateFile(folder / "none.jinja").status()));
}

TEST(TemplateSourceTest, NamedTokensAreTextsOrObjects) {
  const ScratchFolder folder;
  EXPECT_THAT(NamedTokens(folder.path()), IsEmpty());
  folder.Put(
      "tokenizer_config.json",
      R"({"bos_token":"<s>","eos_token":{"content":"</s>"},"pad_token":null,"add_bos_token":true})");
  const std::map<std::string, std::string> expected = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  EXPECT_EQ(NamedTokens(folder.path()), expected);
}

TEST(TemplateSourceTest, RecognisesGemmasOwn) {
  EXPECT_EQ(Recognise("{{ '<start_of_turn>' }}"), KnownTemplate::kNone);
  const std::string path = SharedData("tokenizer/gemma2/google-gemma-2-2b-it.jinja");
  if (path.empty()) GTEST_SKIP() << "shared test data is absent (FPO_SHARED_DATA)";
  const std::string text = Slurp(path);
  EXPECT_EQ(Recognise(text), KnownTemplate::kGemma2);
  EXPECT_EQ(Recognise(text + "\n"), KnownTemplate::kGemma2);
  EXPECT_EQ(Recognise(text + " "), KnownTemplate::kNone);
}

}  // namespace
}  // namespace fpo::train

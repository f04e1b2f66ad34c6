#include "train/chat/jinja_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

absl::StatusOr<std::unique_ptr<JinjaTemplate>> Start(const std::string& text) {
  JinjaTemplate::Options options;
  options.text = text;
  options.name = "chat_template.jinja";
  options.tokens = {{"bos_token", "<bos>"}};
  options.seconds = 0.5;
  return JinjaTemplate::Start(std::move(options));
}

// The text of one question, or "error: ...".
std::string Text(const std::string& text, const std::string& question = "hi") {
  const auto jinja = Start(text);
  if (!jinja.ok()) return std::string(jinja.status().message());
  const auto texts = (*jinja)->Render(std::vector<JinjaRequest>{{{{"user", question}}, true}});
  if (!texts.ok()) return std::string(texts.status().message());
  return (*texts)[0].error.empty() ? (*texts)[0].text : "error: " + (*texts)[0].error;
}

TEST(JinjaTemplateTest, RendersLikeTransformers) {
  EXPECT_EQ(Text("{{ bos_token }}{{ messages[0].content }}{{ pad_token }}"), "<bos>hi");
  EXPECT_EQ(Text("  {% if true %}\na\n  {% endif %}\nb"), "a\nb") << "trim_blocks, lstrip_blocks";
  EXPECT_EQ(Text("{{ messages | tojson }}", "\"\xC3\xBC<&"),
            R"([{"content": "\"ü<&", "role": "user"}])");
  EXPECT_EQ(Text("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}"),
            "01");
  EXPECT_EQ(Text("{{ tools is none }}{{ documents is none }}{{ add_generation_prompt }}"),
            "TrueTrueTrue");
  EXPECT_EQ(Text("{% generation %}a{% endgeneration %}"), "a");
}

TEST(JinjaTemplateTest, SpansOfGenerationsAreBytes) {
  const auto jinja =
      Start("ü{% generation %}é{% endgeneration %}b{% generation %}{% endgeneration %}");
  ASSERT_TRUE(jinja.ok()) << jinja.status();
  const auto texts = (*jinja)->Render(std::vector<JinjaRequest>{{{{"user", "x"}}, false}});
  ASSERT_EQ((*texts)[0].spans.size(), 2u);
  EXPECT_EQ((*texts)[0].spans[0], (std::pair<size_t, size_t>(2, 4)));
  EXPECT_EQ((*texts)[0].spans[1], (std::pair<size_t, size_t>(5, 5)));
}

TEST(JinjaTemplateTest, ErrorsOfOneConversationAreItsOwn) {
  EXPECT_EQ(Text("{{ raise_exception('no ' ~ messages[0].role) }}"), "error: no user");
  EXPECT_THAT(Text("{{ nothing.at.all }}"), HasSubstr("error: UndefinedError"));
  const auto jinja =
      Start("{% if messages[0].content == 'b' %}{{ raise_exception('b') }}{% endif %}ok");
  const auto texts = (*jinja)->Render(std::vector<JinjaRequest>{
      {{{"user", "a"}}, true}, {{{"user", "b"}}, true}, {{{"user", "c"}}, true}});
  EXPECT_EQ((*texts)[0].text + (*texts)[1].error + (*texts)[2].text, "okbok");
}

TEST(JinjaTemplateTest, ATemplateThatIsNoneIsNamedWithItsLine) {
  EXPECT_THAT(Text("a\n{% if %}"),
              AllOf(HasSubstr("chat_template.jinja is not a template"), HasSubstr("line 2")));
  EXPECT_THAT(Text("{% include 'x' %}"), HasSubstr("error: TypeError"));
}

TEST(JinjaTemplateTest, ForeignCodeIsConfined) {
  EXPECT_EQ(Text("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"),
            "error: it takes too long");
  EXPECT_THAT(Text("{{ ((9 ** 99999) ** 9999) | length }}"), HasSubstr("it takes too long"));
  EXPECT_THAT(Text("{{ 'x' * 3000000000 }}"), HasSubstr("error: it needs too much memory"));
  EXPECT_THAT(Text("{{ messages[0].content * 20000000 }}"),
              HasSubstr("characters are rendered, more than"));
  EXPECT_THAT(Text("{{ ''.__class__.__mro__ }}"), HasSubstr("error: SecurityError"));
  EXPECT_THAT(Text("{{ cycler.__init__.__globals__.os.popen('id').read() }}"),
              HasSubstr("error: "));
  EXPECT_THAT(Text("{% set _ = messages.append(1) %}"), HasSubstr("error: SecurityError"));
  EXPECT_THAT(Text("{% set n = namespace() %}{% set n.__class__ = 1 %}"), HasSubstr("error: "));
}

// Should the helper not stop itself, it is ended.
TEST(JinjaTemplateTest, AHelperThatHangsIsEnded) {
  JinjaTemplate::Options options;
  options.text = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}";
  options.name = "t.jinja";
  options.seconds = 1000;
  options.hang_seconds = 0.3;
  const auto jinja = JinjaTemplate::Start(std::move(options));
  ASSERT_TRUE(jinja.ok()) << jinja.status();
  for (int i = 0; i < 2; ++i) {
    const auto texts = (*jinja)->Render(std::vector<JinjaRequest>{{{{"user", "a"}}, true}});
    EXPECT_TRUE(absl::IsInvalidArgument(texts.status()));
    EXPECT_THAT(std::string(texts.status().message()),
                HasSubstr("the chat template t.jinja brings its renderer down: "));
  }
}

TEST(JinjaTemplateTest, TheDateIsFixed) {
  const auto jinja = Start("{{ strftime_now('%d %b %Y') }}");
  EXPECT_FALSE((*jinja)->uses_date());
  const auto texts = (*jinja)->Render(std::vector<JinjaRequest>{{{{"user", "a"}}, true}});
  EXPECT_EQ((*texts)[0].text, "26 Jul 2024");
  EXPECT_TRUE((*jinja)->uses_date());
}

TEST(JinjaTemplateTest, ManyRowsGoInSeveralExchanges) {
  const auto jinja = Start("{{ messages[0].content | length }}");
  const std::string long_text(3 << 20, 'x');
  const std::vector<JinjaRequest> requests(7, {{{"user", long_text}}, false});
  const auto texts = (*jinja)->Render(requests);
  ASSERT_TRUE(texts.ok()) << texts.status();
  ASSERT_EQ(texts->size(), 7u);
  EXPECT_EQ((*texts)[6].text, "3145728");
}

TEST(JinjaTemplateTest, WithoutJinjaThePackageIsNamed) {
  JinjaTemplate::Options options;
  options.text = "a";
  options.name = "chat_template.jinja";
  options.pythons = {"no-such-python", "false"};
  const absl::Status status = JinjaTemplate::Start(std::move(options)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("Debian package python3-jinja2"));
}

}  // namespace
}  // namespace fpo::train

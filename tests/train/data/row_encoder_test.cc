#include "train/data/row_encoder.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_tokenizer_model.h"
#include "train/rows/preference_dataset.h"

namespace fpo::train {
namespace {

TEST(RowEncoderTest, ATemplateWithAHelperRendersTheBatchAtOnce) {
  ScratchFolder folder;
  folder.Put("tokenizer.model", TinyTokenizerBytes());
  folder.Put("chat_template.jinja",
             "<bos>{% for m in messages %}[{{ m.role }}]{{ m.content }}<end_of_turn>{% endfor %}"
             "{% if add_generation_prompt %}[assistant]{% endif %}");
  const Tokenizer tokenizer = *Tokenizer::Open(folder.path());
  const ChatTemplate own = *ChatTemplate::Create("auto", tokenizer, folder.path());
  AdmissionLimits limits;
  limits.pairs_required = false;
  limits.chosen_only = true;
  const Admission admission(tokenizer, own, limits);
  std::vector<PreferenceRow> rows;
  for (int i = 0; i < 50; ++i) {
    rows.push_back(*ParsePreferenceRow(
        absl::StrCat(
            R"({"messages":[{"role":"user","content":"the"},{"role":"assistant","content":")", i,
            R"("},{"role":"user","content":"x"},{"role":"assistant","content":"a"}]})"),
        "auto"));
  }
  const auto encoded = EncodeRows(admission, rows);
  ASSERT_TRUE(encoded.ok()) << encoded.status();
  for (size_t i = 0; i < rows.size(); ++i) {
    ASSERT_EQ((*encoded)[i].size(), 2u);
    EXPECT_EQ(*tokenizer.Decode((*encoded)[i][0].pair.chosen), absl::StrCat(i, "<end_of_turn>"));
    EXPECT_EQ((*encoded)[i][1].pair.prompt, (*admission.Encode(rows[i]))[1].pair.prompt);
  }
}

TEST(RowEncoderTest, KeepsTheOrderOfTheRows) {
  ScratchFolder folder;
  folder.Put("tokenizer.model", TinyTokenizerBytes());
  const Tokenizer tokenizer = *Tokenizer::Open(folder.path());
  const ChatTemplate none = *ChatTemplate::Create("none", tokenizer, folder.path());
  const Admission admission(tokenizer, none, {});
  std::vector<PreferenceRow> rows;
  for (int i = 0; i < 300; ++i) {
    rows.push_back(
        *ParsePreferenceRow(absl::StrCat(R"({"id":")", i, R"(","prompt":"the","chosen":" )", i,
                                         R"(","rejected":" x"})"),
                            "auto"));
  }
  const auto encoded = EncodeRows(admission, rows);
  ASSERT_TRUE(encoded.ok()) << encoded.status();
  ASSERT_EQ(encoded->size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    ASSERT_EQ((*encoded)[i].size(), 1u);
    const TokenPair& pair = (*encoded)[i][0].pair;
    EXPECT_EQ(pair.row_id, absl::StrCat(i));
    EXPECT_EQ(pair.chosen, (*admission.Encode(rows[i]))[0].pair.chosen);
  }
  EXPECT_TRUE(EncodeRows(admission, {})->empty());
}

}  // namespace
}  // namespace fpo::train

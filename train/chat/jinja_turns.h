#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "train/chat/jinja_template.h"
#include "train/chat/literal_marks.h"
#include "train/chat/rendered_row.h"
#include "train/chat/template_source.h"
#include "train/tokenizer/tokenizer.h"

namespace fpo::train {

// Prompts and responses by any chat template. A response is what the model has to write after the
// prompt that add_generation_prompt asks with, up to the turn's end mark; where the template has
// {% generation %}, it begins at that block. Thread-safe.
class JinjaTurns {
 public:
  // Renders a few trial conversations to learn the template's marks. The errors of JinjaTemplate;
  // InvalidArgument when the template refuses or ignores a plain question and answer.
  // `tokenizer` must outlive the object.
  static absl::StatusOr<std::unique_ptr<JinjaTurns>> Start(
      const TemplateSource& source, const std::map<std::string, std::string>& tokens,
      const Tokenizer& tokenizer);

  // In the order of the conversations.
  absl::StatusOr<std::vector<RenderedRow>> Render(std::vector<Conversation> conversations) const;

  // Conversations for the model to answer, as add_generation_prompt renders them.
  absl::StatusOr<std::vector<RenderedRow>> RenderPrompts(
      std::vector<std::vector<Message>> prompts) const;

  // The last id of a response that the template ends; nullopt: it has no end mark.
  std::optional<int32_t> end() const { return end_; }
  // The id that every turn begins with, if there is one.
  std::optional<int32_t> turn_start() const { return turn_start_; }
  // What a user should know about the template.
  std::vector<std::string> warnings() const;

 private:
  struct Side;
  JinjaTurns(const Tokenizer& tokenizer, std::string name) : tokenizer_(tokenizer), name_(name) {}
  absl::Status Probe(const std::map<std::string, std::string>& tokens);
  void LearnMarks(const std::string& turn, const std::string& question_after);
  std::vector<std::string> MarksIn(const std::string& text) const;
  void NoteSpelledOutMarks(const std::string& text);
  Side Split(const JinjaText& prompt, const JinjaText& plain, const JinjaText& full) const;
  void EndAnswer(std::string* answer, bool* ended) const;
  RenderedRow Compose(absl::Span<const JinjaText> texts, bool two, const std::string& flag) const;

  const Tokenizer& tokenizer_;
  const std::string name_;
  std::unique_ptr<JinjaTemplate> jinja_;
  std::vector<std::string> warnings_;
  bool takes_parts_ = false;  // a content may be a list of parts
  std::string suffix_;        // what the template writes behind a response
  std::string end_mark_;      // its beginning, through its last mark; "" when it has none
  std::optional<int32_t> end_, turn_start_;
  std::unique_ptr<LiteralMarks> marks_;
};

}  // namespace fpo::train

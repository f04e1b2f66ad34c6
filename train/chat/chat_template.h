#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "train/chat/rendered_row.h"
#include "train/chat/template_source.h"
#include "train/chat/turn_record.h"
#include "train/rows/preference_row.h"
#include "train/tokenizer/tokenizer.h"

namespace fpo::train {

class JinjaTurns;

// Renders rows as text. Thread-safe; copies share one helper process.
class ChatTemplate {
 public:
  // `name`: gemma | halo | none | auto, or the path of a template in Jinja (*.jinja). auto: the
  // model folder's own template; in a folder without one messages get Gemma's turns when the
  // tokenizer has the turn pieces, and strings are joined as they are. InvalidArgument when the
  // tokenizer lacks a piece that gemma needs, or a template file cannot be read. `tokenizer` must
  // outlive the object.
  static absl::StatusOr<ChatTemplate> Create(const std::string& name, const Tokenizer& tokenizer,
                                             const std::string& model_folder);

  // In the order of the rows; a row that cannot be rendered says why. The errors of
  // JinjaTurns::Start: a template that needs Jinja starts with the first row that it renders.
  absl::StatusOr<std::vector<RenderedRow>> Render(absl::Span<const PreferenceRow> rows) const;
  absl::StatusOr<RenderedRow> Render(const PreferenceRow& row) const;

  // Conversations for the model to answer, each as add_generation_prompt renders it: only `prompt`,
  // `turns` and the reasons for a refusal are filled. Without turns their texts are joined.
  absl::StatusOr<std::vector<RenderedRow>> RenderPrompts(
      std::vector<std::vector<Message>> prompts) const;
  // A text for the model to continue: a user's turn when strings are turns.
  absl::StatusOr<RenderedRow> RenderPrompt(const std::string& text) const;
  // The ids that end a turn of the assistant; complete once a prompt was rendered.
  std::vector<int32_t> TurnEnds() const;
  bool has_turns() const { return turns_ != Turns::kNone; }

  // Whether this row gets turns.
  bool UsesTurns(const PreferenceRow& row) const;
  // Whether rows should be rendered many at a time: by a helper process.
  bool IsBatched() const { return turns_ == Turns::kJinja; }
  // Whether a response may end with this id.
  bool IsEnd(int32_t id) const;
  // The id that a turn begins with.
  std::optional<int32_t> turn_start() const;

  const std::string& name() const { return name_; }
  // What rows with turns are rendered by: gemma, halo, own, or the file's name.
  std::string turns_name() const;
  // The model's folder has a chat template: the model was trained to answer in its turns.
  bool model_has_turns() const { return model_has_turns_; }
  // "chat_template.jinja" or the like: the file whose template is used; "" when none is.
  const std::string& file() const { return source_.name; }
  // For the model that is trained on the rows, after rendering. `turns` is "" for a template that
  // makes none.
  TurnRecord record() const;
  // What a user should know, after rendering.
  std::vector<std::string> warnings() const;

 private:
  enum class Turns { kNone, kGemma, kHalo, kJinja };
  struct Lazy;
  explicit ChatTemplate(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}
  absl::Status Choose(const std::string& model_folder);
  absl::Status Use(TemplateSource source, const std::string& model_folder);
  absl::StatusOr<const JinjaTurns*> Jinja() const;
  const JinjaTurns* StartedJinja() const;
  RenderedRow Plain(const PreferenceRow& row) const;
  RenderedRow BuiltIn(Conversation conversation) const;

  const Tokenizer* tokenizer_;
  std::string name_;
  std::string bos_ = "<bos>";  // begins text without turns
  Turns turns_ = Turns::kNone;
  TemplateSource source_;
  KnownTemplate known_ = KnownTemplate::kNone;
  bool model_has_turns_ = false;
  bool is_own_ = false;  // the turns are those of the model folder's template
  bool strings_are_turns_ = false;
  std::optional<int32_t> start_of_turn_, end_of_turn_;
  std::shared_ptr<Lazy> lazy_;
  std::shared_ptr<const LiteralMarks> marks_;  // of the built-in turns
};

}  // namespace fpo::train

#include "train/generate/chat_session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "train/generate/text_stream.h"

namespace fpo::train {
namespace {

constexpr int64_t kStepTokens = 128;

}  // namespace

// One question's answer on its way.
class ChatSession::Turn final : public AnswerQueue {
 public:
  Turn(const Tokenizer& tokenizer, AnswerRequest request, const Callbacks& callbacks)
      : request_(std::move(request)), stream_(tokenizer), callbacks_(callbacks) {}

  std::optional<AnswerRequest> Next() override { return std::exchange(request_, std::nullopt); }

  void OnToken(int64_t, int32_t id) override { Show(stream_.Add(id)); }

  absl::StatusOr<std::optional<AnswerRequest>> Done(GeneratedAnswer answer) override {
    Show(stream_.Finish());
    reply_.stopped = answer.stopped;
    Keep(std::move(answer));
    return std::optional<AnswerRequest>();
  }

  bool ShouldStop() override { return callbacks_.should_stop(); }

  void Interrupted(GeneratedAnswer answer) override {
    Show(stream_.Finish());
    reply_.interrupted = true;
    Keep(std::move(answer));
  }

  Reply& reply() { return reply_; }
  std::optional<CachedSequence>& sequence() { return sequence_; }

 private:
  void Show(const std::string& text) {
    if (text.empty()) return;
    reply_.text += text;
    callbacks_.on_text(text);
  }
  void Keep(GeneratedAnswer answer) {
    reply_.tokens = static_cast<int64_t>(answer.ids.size());
    sequence_ = std::move(answer.sequence);
  }

  std::optional<AnswerRequest> request_;
  TextStream stream_;
  const Callbacks& callbacks_;
  Reply reply_;
  std::optional<CachedSequence> sequence_;
};

ChatSession::ChatSession(GenerationModel& model, Options options)
    : model_(model), options_(std::move(options)) {}

absl::StatusOr<AnswerRequest> ChatSession::Request() {
  std::vector<Message> messages;
  if (!options_.system.empty()) messages.push_back({"system", options_.system});
  messages.insert(messages.end(), messages_.begin(), messages_.end());
  FPO_ASSIGN_OR_RETURN(std::vector<RenderedRow> rendered,
                       model_.chat_template().RenderPrompts({messages}));
  const RenderedRow& prompt = rendered[0];
  if (!prompt.drop_reason.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the chat template refuses the conversation",
                     prompt.drop_detail.empty() ? "" : absl::StrCat(": ", prompt.drop_detail)));
  }
  AnswerRequest request;
  FPO_ASSIGN_OR_RETURN(request.prompt,
                       model_.tokenizer().Encode(prompt.prompt.text, prompt.prompt.literal));
  const int64_t room = options_.context - static_cast<int64_t>(request.prompt.size());
  if (room < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the conversation has ", request.prompt.size(), " tokens with this question, ",
                     "and --context is ", options_.context,
                     "; /reset begins anew, a larger --context holds more"));
  }
  request.stops = model_.Stops(/*turns=*/true);
  request.max_new_tokens = std::min(options_.max_new_tokens, room);
  request.sampling = options_.sampling;
  request.random = AnswerRandom(static_cast<uint64_t>(options_.seed), asked_++);
  if (!sequence_) sequence_ = model_.decoder().NewSequence({options_.context, kStepTokens});
  return request;
}

absl::StatusOr<ChatSession::Reply> ChatSession::Ask(const std::string& question,
                                                    const Callbacks& callbacks) {
  messages_.push_back({"user", question});
  absl::StatusOr<AnswerRequest> request = Request();
  if (!request.ok()) {
    messages_.pop_back();
    return request.status();
  }
  const auto size = static_cast<int64_t>(request->prompt.size());
  const int64_t read = size - sequence_->KeepPrefixOf(request->prompt);
  request->sequence = std::exchange(sequence_, std::nullopt);
  Turn turn(model_.tokenizer(), *std::move(request), callbacks);
  const BatchOptions batch{1, kStepTokens, model_.choices()};
  const absl::Status status = GenerateAnswers(model_.decoder(), batch, turn);
  sequence_ = std::move(turn.sequence());
  if (!status.ok() || turn.reply().text.empty()) {
    messages_.pop_back();
  } else {
    messages_.push_back({"assistant", turn.reply().text});
  }
  FPO_RETURN_IF_ERROR(status);
  turn.reply().read = read;
  return std::move(turn.reply());
}

}  // namespace fpo::train

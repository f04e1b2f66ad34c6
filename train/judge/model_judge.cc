#include "train/judge/model_judge.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "train/events/exit_status.h"
#include "train/generate/model_for_generation.h"

namespace fpo::train {
namespace {

constexpr size_t kReadTokens = 128;
constexpr int64_t kAnyLength = std::numeric_limits<int64_t>::max();

// The ids by which a model may write a verdict.
absl::StatusOr<std::vector<int32_t>> IdsOfVerdict(const Tokenizer& tokenizer,
                                                  const std::string& verdict) {
  std::vector<int32_t> ids;
  for (const std::string& text : {verdict, " " + verdict}) {
    FPO_ASSIGN_OR_RETURN(std::vector<int32_t> encoded, tokenizer.Encode(text, {}));
    if (!encoded.empty() && encoded[0] == tokenizer.bos()) encoded.erase(encoded.begin());
    if (encoded.size() == 1) ids.push_back(encoded[0]);
  }
  if (!ids.empty()) return ids;
  return absl::InvalidArgumentError(
      absl::StrCat("the verdict \"", verdict,
                   "\" is not one token of this model; instructions with single letters "
                   "(--verdicts A,B) work with any"));
}

class ModelJudge final : public Judge {
 public:
  ModelJudge(const ModelJudgeOptions& options, std::unique_ptr<GenerationModel> model,
             std::function<void(const std::string&)> note)
      : options_(options),
        model_(std::move(model)),
        note_(std::move(note)),
        name_(std::filesystem::weakly_canonical(options.model).filename().string()) {}

  absl::Status Open();
  const std::string& identity() const override { return identity_; }
  const std::string& name() const override { return name_; }
  absl::Status JudgeAll(const std::vector<JudgeConversation>& conversations,
                        VerdictSink& sink) override;

 private:
  absl::StatusOr<std::vector<int32_t>> IdsOf(const RenderedRow& rendered, int64_t most) const;
  absl::StatusOr<std::vector<std::vector<int32_t>>> Prepare(
      const std::vector<JudgeConversation>& conversations, int64_t tokens_max) const;
  absl::StatusOr<Verdict> VerdictOn(const std::vector<int32_t>& ids);
  at::Tensor LastLogits(const std::vector<int32_t>& ids);

  const ModelJudgeOptions options_;
  const std::unique_ptr<GenerationModel> model_;
  const std::function<void(const std::string&)> note_;
  const std::string name_;
  std::string identity_;
  std::vector<int32_t> first_, second_;
  bool is_loaded_ = false;
};

absl::Status ModelJudge::Open() {
  FPO_RETURN_IF_ERROR(model_->tokenizer().present());
  FPO_ASSIGN_OR_RETURN(first_, IdsOfVerdict(model_->tokenizer(), options_.prompt.first_token));
  FPO_ASSIGN_OR_RETURN(second_, IdsOfVerdict(model_->tokenizer(), options_.prompt.second_token));
  if (!model_->chat_template().model_has_turns() && options_.template_name == "auto") {
    note_(absl::StrCat("the judge ", options_.model,
                       " has no chat template; its instructions get Gemma's turns, which it may "
                       "never have seen, so its verdicts may mean little"));
  }
  // What the template does to a short comparison stands for the template.
  FPO_ASSIGN_OR_RETURN(const auto shown,
                       Prepare({FillPrompt(options_.prompt, {"q", "a", "b"})}, kAnyLength));
  Sha256 turns;
  for (const int32_t id : shown[0]) turns.Update(absl::StrCat(id, ","));
  JsonObject identity;
  identity.Add("kind", "model");
  identity.Add("model", model_->digest());
  identity.Add("tokenizer", ToHex(model_->tokenizer().digest()));
  identity.Add("turns", ToHex(turns.Finish()));
  identity.Add("prompt", DigestOf(options_.prompt));
  identity.Add("dtype", options_.dtype);
  identity.Add("device", options_.device.is_cuda() ? "cuda" : "cpu");
  identity_ = identity.Text();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int32_t>> ModelJudge::IdsOf(const RenderedRow& rendered,
                                                       int64_t most) const {
  if (!rendered.drop_reason.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the judge's chat template refuses it: ", rendered.drop_reason, " ", rendered.drop_detail));
  }
  FPO_ASSIGN_OR_RETURN(std::vector<int32_t> ids,
                       model_->tokenizer().Encode(rendered.prompt.text, rendered.prompt.literal));
  if (static_cast<int64_t>(ids.size()) <= most) return ids;
  return absl::InvalidArgumentError(
      absl::StrCat("it has ", ids.size(), " tokens with the judge's instructions, more than ", most,
                   " (--max-prompt-length); nothing is cut"));
}

absl::StatusOr<std::vector<std::vector<int32_t>>> ModelJudge::Prepare(
    const std::vector<JudgeConversation>& conversations, int64_t tokens_max) const {
  std::vector<std::vector<Message>> to_render;
  for (const JudgeConversation& conversation : conversations) {
    std::vector<Message>& messages = to_render.emplace_back();
    for (const JudgeMessage& message : conversation) {
      messages.push_back({message.role, message.text});
    }
  }
  FPO_ASSIGN_OR_RETURN(const std::vector<RenderedRow> rendered,
                       model_->chat_template().RenderPrompts(std::move(to_render)));
  std::vector<std::vector<int32_t>> prompts;
  for (const RenderedRow& row : rendered) {
    absl::StatusOr<std::vector<int32_t>> ids = IdsOf(row, tokens_max);
    if (!ids.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("comparison ", prompts.size() + 1, ": ", ids.status().message()));
    }
    prompts.push_back(*std::move(ids));
  }
  return prompts;
}

// [vocab_size], float32, softcapped: of the token behind `ids`.
at::Tensor ModelJudge::LastLogits(const std::vector<int32_t>& ids) {
  Decoder& decoder = model_->decoder();
  CachedSequence sequence =
      decoder.NewSequence({static_cast<int64_t>(ids.size()), static_cast<int64_t>(kReadTokens)});
  at::Tensor logits;
  for (size_t at = 0; at < ids.size(); at += kReadTokens) {
    const size_t count = std::min(kReadTokens, ids.size() - at);
    StepInput input;
    input.sequence = &sequence;
    input.ids = absl::MakeConstSpan(ids).subspan(at, count);
    input.wants_logits = at + count == ids.size();
    logits = decoder.Step({&input, 1});
  }
  return logits[0].to(at::kCPU);
}

absl::StatusOr<Verdict> ModelJudge::VerdictOn(const std::vector<int32_t>& ids) {
  const at::Tensor probabilities = LastLogits(ids).to(at::kDouble).softmax(0);
  const auto share = [&](const std::vector<int32_t>& tokens) {
    double sum = 0;
    for (const int32_t id : tokens) sum += probabilities[id].item<double>();
    return sum;
  };
  const double first = share(first_), second = share(second_);
  if (!std::isfinite(first + second)) {
    return FailWith(ExitCode::kNotFinite, "the judge's probabilities are not finite");
  }
  Verdict verdict;
  verdict.is_weighted = true;
  verdict.mass = first + second;
  if (verdict.mass > 0) verdict.first = first / verdict.mass;
  verdict.words = first >= second ? options_.prompt.first_token : options_.prompt.second_token;
  verdict.prompt_tokens = static_cast<int64_t>(ids.size());
  verdict.answer_tokens = 1;
  verdict.unix_seconds = absl::ToUnixSeconds(absl::Now());
  return verdict;
}

absl::Status ModelJudge::JudgeAll(const std::vector<JudgeConversation>& conversations,
                                  VerdictSink& sink) {
  FPO_ASSIGN_OR_RETURN(const auto prompts, Prepare(conversations, options_.max_prompt_length));
  if (!is_loaded_) FPO_RETURN_IF_ERROR(model_->Load(note_));
  is_loaded_ = true;
  for (size_t i = 0; i < prompts.size() && !sink.ShouldStop(); ++i) {
    FPO_ASSIGN_OR_RETURN(Verdict verdict, VerdictOn(prompts[i]));
    FPO_RETURN_IF_ERROR(sink.Done(i, std::move(verdict)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Judge>> OpenModelJudge(
    const ModelJudgeOptions& options, const std::function<void(const std::string&)>& note) {
  if (options.prompt.form != VerdictForm::kWinner) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a model folder weighs two verdict tokens and writes no reasons, so it gives no grades and "
        "ratings; serve ",
        options.model, " (vLLM, llama.cpp) and name the server's URL"));
  }
  FPO_ASSIGN_OR_RETURN(
      std::unique_ptr<GenerationModel> model,
      GenerationModel::Open({options.model, options.dtype, options.template_name, options.device}));
  auto judge = std::make_unique<ModelJudge>(options, std::move(model), note);
  FPO_RETURN_IF_ERROR(judge->Open());
  return std::unique_ptr<Judge>(std::move(judge));
}

}  // namespace fpo::train

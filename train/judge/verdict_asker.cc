#include "train/judge/verdict_asker.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/events/exit_status.h"
#include "train/events/stop_signal.h"
#include "train/judge/model_judge.h"

namespace fpo::train {

absl::StatusOr<std::unique_ptr<Judge>> OpenJudge(const JudgeOptions& options,
                                                 const JudgePrompt& prompt, EventSink& events) {
  if (!IsUrl(options.judge)) {
    return OpenModelJudge({options.judge, options.dtype, options.template_name, options.device,
                           prompt, options.max_prompt_length},
                          WarnOn(events));
  }
  EndpointOptions endpoint = options.endpoint;
  endpoint.url = options.judge;
  endpoint.prompt = prompt;
  constexpr int64_t kTokensOfReasons = 2048;  // as MT-Bench and Arena-Hard ask for
  if (prompt.form != VerdictForm::kWinner && endpoint.chat.max_tokens == 1) {
    endpoint.chat.max_tokens = kTokensOfReasons;
  }
  return MakeEndpointJudge(endpoint);
}

absl::StatusOr<std::unique_ptr<VerdictStore>> OpenVerdicts(const JudgeOptions& options,
                                                           EventSink& events) {
  if (options.verdicts.empty()) {
    return absl::InvalidArgumentError("there is no home folder to keep verdicts in; give --store");
  }
  FPO_ASSIGN_OR_RETURN(std::unique_ptr<VerdictStore> store, VerdictStore::Open(options.verdicts));
  if (store->damaged_lines() > 0) {
    events.Emit(WarningEvent(
        absl::StrCat(store->damaged_lines(), " damaged lines in ", store->path(),
                     " are left out; those verdicts are asked for again where they are needed")));
  }
  return store;
}

bool VerdictAsker::ShouldStop() {
  if (commands_ != nullptr) {
    const auto command = commands_->Poll();
    if (command.ok() && command->has_value() && (*command)->kind == "stop") RequestStop();
  }
  return StopRequested();
}

absl::Status VerdictAsker::Done(size_t index, Verdict verdict) {
  ++asked_;
  prompt_tokens_ += verdict.prompt_tokens;
  answer_tokens_ += verdict.answer_tokens;
  FPO_RETURN_IF_ERROR(AsStorageError(store_.Add(missing_[index], judge_.identity(), verdict)));
  AdvanceWork();
  return absl::OkStatus();
}

absl::Status VerdictAsker::AskForMissing(
    const std::vector<std::string>& keys,
    const std::function<JudgeConversation(size_t)>& conversation) {
  std::vector<JudgeConversation> conversations;
  std::set<std::string> seen;
  missing_.clear();
  for (size_t i = 0; i < keys.size(); ++i) {
    if (store_.Find(keys[i]) != nullptr || !seen.insert(keys[i]).second) continue;
    missing_.push_back(keys[i]);
    conversations.push_back(conversation(i));
  }
  const auto known = static_cast<int64_t>(keys.size() - missing_.size());
  events_.Emit(PhaseEvent("train", absl::StrCat(known, " of ", keys.size(), " verdicts are in ",
                                                store_.path(), " already")));
  if (missing_.empty()) return absl::OkStatus();
  Work work({"train", "", 0, static_cast<int64_t>(keys.size()), "verdicts"});
  work.SetDone(known);
  const int64_t before = asked_;
  FPO_RETURN_IF_ERROR(judge_.JudgeAll(conversations, *this));
  if (asked_ - before == static_cast<int64_t>(missing_.size())) return absl::OkStatus();
  return FailWith(
      ExitCode::kStopped,
      absl::StrCat("stopped on request with ", known + asked_ - before, " of ", keys.size(),
                   " verdicts in ", store_.path(), "; the same command goes on"));
}

}  // namespace fpo::train

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "train/events/event_sink.h"
#include "train/judge/judge_options.h"
#include "train/verdicts/judge.h"
#include "train/verdicts/verdict_store.h"

namespace fpo::train {

// The judge that the options name, with this prompt. The errors of MakeEndpointJudge and
// OpenModelJudge.
absl::StatusOr<std::unique_ptr<Judge>> OpenJudge(const JudgeOptions& options,
                                                 const JudgePrompt& prompt, EventSink& events);

// The store that the options name; damaged lines are warned about.
absl::StatusOr<std::unique_ptr<VerdictStore>> OpenVerdicts(const JudgeOptions& options,
                                                           EventSink& events);

// Asks a judge for the verdicts that a store lacks, and puts each into the store before the next is
// taken. Not thread-safe; judge, store and events outlive it.
class VerdictAsker final : public VerdictSink {
 public:
  VerdictAsker(Judge& judge, VerdictStore& store, EventSink& events, CommandReader* commands)
      : judge_(judge), store_(store), events_(events), commands_(commands) {}

  // keys[i] is the key of the verdict on conversation(i); one that comes twice is asked for once.
  // kStopped on request; the errors of the judge, and the store's as kStorage.
  absl::Status AskForMissing(const std::vector<std::string>& keys,
                             const std::function<JudgeConversation(size_t)>& conversation);

  // Of this run alone.
  int64_t asked() const { return asked_; }
  int64_t prompt_tokens() const { return prompt_tokens_; }
  int64_t answer_tokens() const { return answer_tokens_; }

  absl::Status Done(size_t index, Verdict verdict) override;
  void Note(const std::string& message) override { events_.Emit(WarningEvent(message)); }
  bool ShouldStop() override;

 private:
  Judge& judge_;
  VerdictStore& store_;
  EventSink& events_;
  CommandReader* const commands_;  // null: none
  std::vector<std::string> missing_;
  int64_t asked_ = 0, prompt_tokens_ = 0, answer_tokens_ = 0;
};

}  // namespace fpo::train

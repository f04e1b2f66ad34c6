#include "train/generate/batch_generator.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

// An answer in progress.
struct Seat {
  AnswerRequest request;
  CachedSequence sequence;
  int64_t read;              // of the prompt
  std::vector<int32_t> ids;  // of the answer

  bool IsReading() const { return read < static_cast<int64_t>(request.prompt.size()); }
};

class BatchGenerator {
 public:
  BatchGenerator(Decoder& decoder, const BatchOptions& options, AnswerQueue& queue)
      : decoder_(decoder), options_(options), queue_(queue) {}

  absl::Status Run() {
    Fill();
    while (!seats_.empty()) {
      if (queue_.ShouldStop()) return GiveBack();
      FPO_RETURN_IF_ERROR(Step());
      AdvanceWork(0);  // answers may take long
      Fill();
    }
    return absl::OkStatus();
  }

 private:
  absl::Status GiveBack() {
    for (Seat& seat : seats_) {
      queue_.Interrupted({seat.request.index, std::move(seat.ids), false, seat.request.random,
                          std::move(seat.sequence)});
    }
    return absl::OkStatus();
  }

  void Fill() {
    while (static_cast<int64_t>(seats_.size()) < options_.batch) {
      std::optional<AnswerRequest> request = queue_.Next();
      if (!request) return;
      Seated(*std::move(request));
    }
  }

  void Seated(AnswerRequest request) {
    CachedSequence::Size size;
    size.positions = static_cast<int64_t>(request.prompt.size()) + request.max_new_tokens;
    size.step_tokens = options_.step_tokens;
    std::optional<CachedSequence> before = std::exchange(request.sequence, std::nullopt);
    const bool fits = before && before->size().positions >= size.positions;
    CachedSequence sequence = fits ? *std::move(before) : decoder_.NewSequence(size);
    const int64_t read = sequence.KeepPrefixOf(request.prompt);
    seats_.push_back({std::move(request), std::move(sequence), read, {}});
  }

  // What every seat reads next: some of its prompt, or the id that it chose last.
  std::vector<StepInput> Inputs() {
    std::vector<StepInput> inputs;
    int64_t room = options_.step_tokens;
    for (Seat& seat : seats_) {
      if (!seat.IsReading()) {
        inputs.push_back({&seat.sequence, absl::MakeConstSpan(&seat.ids.back(), 1), true});
        continue;
      }
      const auto size = static_cast<int64_t>(seat.request.prompt.size());
      const int64_t count = std::min(room, size - seat.read);
      room -= count;
      if (count == 0) continue;
      inputs.push_back({&seat.sequence,
                        absl::MakeConstSpan(seat.request.prompt).subspan(seat.read, count),
                        seat.read + count == size});
      seat.read += count;
    }
    return inputs;
  }

  absl::Status Step() {
    const std::vector<StepInput> inputs = Inputs();
    const at::Tensor logits = decoder_.Step(inputs).cpu();
    std::vector<Seat*> choosing;
    for (const StepInput& input : inputs) {
      if (input.wants_logits) choosing.push_back(SeatOf(input.sequence));
    }
    const std::vector<std::optional<int32_t>> chosen = Choose(logits, choosing);
    for (size_t i = 0; i < choosing.size(); ++i) {
      if (!chosen[i]) {
        return FailWith(
            ExitCode::kNotFinite,
            absl::StrCat("the model's logits are not finite in answer ", choosing[i]->request.index,
                         " at token ", choosing[i]->ids.size()));
      }
      Take(*chosen[i], choosing[i]);
    }
    return Leave();
  }

  Seat* SeatOf(const CachedSequence* sequence) {
    return &*std::find_if(seats_.begin(), seats_.end(),
                          [&](const Seat& seat) { return &seat.sequence == sequence; });
  }

  std::vector<std::optional<int32_t>> Choose(const at::Tensor& logits,
                                             const std::vector<Seat*>& choosing) const {
    std::vector<std::optional<int32_t>> chosen(choosing.size());
    const int64_t width = logits.size(1);
    const int64_t limit = options_.choices > 0 ? std::min(options_.choices, width) : width;
    at::parallel_for(0, logits.size(0), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        AnswerRequest& request = choosing[static_cast<size_t>(i)]->request;
        chosen[static_cast<size_t>(i)] =
            ChooseToken(absl::MakeConstSpan(logits.const_data_ptr<float>() + i * width,
                                            static_cast<size_t>(limit)),
                        request.sampling, &request.random);
      }
    });
    return chosen;
  }

  void Take(int32_t id, Seat* seat) {
    seat->ids.push_back(id);
    if (!Stops(*seat)) queue_.OnToken(seat->request.index, id);
  }

  static bool Stops(const Seat& seat) {
    const std::vector<int32_t>& stops = seat.request.stops;
    return !seat.ids.empty() &&
           std::find(stops.begin(), stops.end(), seat.ids.back()) != stops.end();
  }

  static bool IsDone(const Seat& seat) {
    return Stops(seat) || static_cast<int64_t>(seat.ids.size()) >= seat.request.max_new_tokens;
  }

  absl::Status Leave() {
    std::vector<AnswerRequest> following;
    std::vector<Seat> left;
    for (Seat& seat : seats_) {
      if (!IsDone(seat)) {
        left.push_back(std::move(seat));
        continue;
      }
      GeneratedAnswer answer{seat.request.index, std::move(seat.ids), false, seat.request.random,
                             std::move(seat.sequence)};
      const std::vector<int32_t>& stops = seat.request.stops;
      answer.stopped = std::find(stops.begin(), stops.end(), answer.ids.back()) != stops.end();
      if (answer.stopped) answer.ids.pop_back();
      FPO_ASSIGN_OR_RETURN(std::optional<AnswerRequest> next, queue_.Done(std::move(answer)));
      if (next) following.push_back(*std::move(next));
    }
    seats_ = std::move(left);
    for (AnswerRequest& request : following) Seated(std::move(request));
    return absl::OkStatus();
  }

  Decoder& decoder_;
  const BatchOptions options_;
  AnswerQueue& queue_;
  std::vector<Seat> seats_;
};

}  // namespace

absl::Status GenerateAnswers(Decoder& decoder, const BatchOptions& options, AnswerQueue& queue) {
  return BatchGenerator(decoder, options, queue).Run();
}

}  // namespace fpo::train

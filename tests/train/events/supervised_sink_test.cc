#include "train/events/supervised_sink.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>

namespace fpo::train {
namespace {

class CountedEvents final : public EventSink {
 public:
  explicit CountedEvents(int* count) : count_(count) {}
  void Emit(TrainEvent) override { ++*count_; }

 private:
  int* count_;
};

TrainEvent Event(EventKind kind, const std::string& message = "") {
  TrainEvent event;
  event.kind = kind;
  event.message = message;
  event.file = "there";
  return event;
}

TEST(SupervisedSink, TheAgentGetsAllAndTheLogWhatPeopleRead) {
  std::FILE* log = std::tmpfile();
  int events = 0;
  {
    SupervisedSink sink(std::make_unique<CountedEvents>(&events), log);
    sink.Emit(Event(EventKind::kPhase, "90 training and 10 evaluation pairs"));
    for (int64_t step = 1; step <= 9; ++step) {
      TrainEvent event = Event(EventKind::kStep);
      event.step = step;
      event.total = 9;
      event.metrics = {{"loss", 0.5}};
      sink.Emit(event);
    }
    sink.Emit(Event(EventKind::kRecords));
    TrainEvent batch = Event(EventKind::kProgress);
    batch.phase = "reference";
    batch.unit = "responses";
    sink.Emit(batch);
    sink.Emit(Event(EventKind::kWarning, "said by the agent"));
    sink.Emit(Event(EventKind::kError, "said on stderr"));
  }
  std::string text(static_cast<size_t>(std::ftell(log)), ' ');
  std::rewind(log);
  ASSERT_EQ(std::fread(text.data(), 1, text.size(), log), text.size());
  std::fclose(log);
  // The first and the last step: the others came within ten seconds.
  EXPECT_EQ(text,
            "90 training and 10 evaluation pairs\n"
            "train  step 1/9  loss 0.5\n"
            "train  step 9/9  loss 0.5\n");
  EXPECT_EQ(events, 14);
}

TEST(SupervisedSink, LoadingForTheReferenceIsInTheLog) {
  std::FILE* log = std::tmpfile();
  int events = 0;
  {
    SupervisedSink sink(std::make_unique<CountedEvents>(&events), log);
    TrainEvent loading = Event(EventKind::kProgress);
    loading.phase = "reference";
    loading.unit = "bytes";
    loading.done = 1 << 20;
    loading.total = 4 << 20;
    loading.activity = "loading /m";
    sink.Emit(loading);
  }
  char text[100] = {};
  std::rewind(log);
  ASSERT_NE(std::fgets(text, sizeof(text), log), nullptr);
  std::fclose(log);
  EXPECT_EQ(std::string(text), "reference  1.0 of 4.0 MiB  loading /m\n");
}

}  // namespace
}  // namespace fpo::train

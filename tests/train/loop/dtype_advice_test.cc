#include "train/loop/dtype_advice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace fpo::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class EventList final : public EventSink {
 public:
  void Emit(TrainEvent event) override { events.push_back(std::move(event)); }
  std::vector<TrainEvent> events;
};

TEST(DtypeAdvice, SaysHowMuchSlowerBfloat16Is) {
  EXPECT_THAT(DtypeAdvice({0.012, 0.002}),
              AllOf(HasSubstr("6.0 times as long"), HasSubstr("--set model.dtype=float32")));
}

TEST(DtypeAdvice, SaysNothingWhereBfloat16IsNotClearlySlower) {
  EXPECT_EQ(DtypeAdvice({0.001, 0.002}), "");
  EXPECT_EQ(DtypeAdvice({0.0028, 0.002}), "");
  EXPECT_EQ(DtypeAdvice({0, 0}), "");
}

TEST(DtypeAdvice, MeasuresOnlyForBfloat16OnACpu) {
  EventList events;
  WarnOfSlowDtype("float32", c10::Device(c10::kCPU), events);
  WarnOfSlowDtype("bfloat16", c10::Device(c10::kCUDA, 0), events);
  EXPECT_TRUE(events.events.empty());
  // Whether this machine warns is its own affair; a warning is one line.
  WarnOfSlowDtype("bfloat16", c10::Device(c10::kCPU), events);
  EXPECT_LE(events.events.size(), 1u);
  for (const TrainEvent& event : events.events) EXPECT_EQ(event.kind, EventKind::kWarning);
}

TEST(DtypeAdvice, TheMeasurementIsOfBothTypes) {
  const ProductSeconds measured = MeasureProducts();
  EXPECT_GT(measured.float32, 0);
  EXPECT_GT(measured.bfloat16, 0);
}

}  // namespace
}  // namespace fpo::train

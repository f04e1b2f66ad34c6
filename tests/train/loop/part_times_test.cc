#include "train/loop/part_times.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"

namespace fpo::train {
namespace {

using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::UnorderedElementsAre;

TEST(PartTimes, AddsUpToTheTimeSinceTheStart) {
  PartTimes parts(c10::kCPU, true);
  const absl::Time before = absl::Now();
  parts.Start();
  for (const char* part : {"forward_seconds", "backward_seconds", "forward_seconds"}) {
    parts.End(part);
  }
  const double elapsed = absl::ToDoubleSeconds(absl::Now() - before);
  EXPECT_THAT(parts.seconds(),
              UnorderedElementsAre(Key("forward_seconds"), Key("backward_seconds")));
  double sum = 0;
  for (const auto& [part, seconds] : parts.seconds()) sum += seconds;
  EXPECT_LE(sum, elapsed);
}

TEST(PartTimes, AStepForgetsThePreviousOne) {
  PartTimes parts(c10::kCPU, true);
  parts.Start();
  parts.End("update_seconds");
  parts.Start();
  EXPECT_THAT(parts.seconds(), IsEmpty());
}

TEST(PartTimes, SwitchedOffReportsNothing) {
  PartTimes parts(c10::kCPU, false);
  parts.Start();
  parts.End("forward_seconds");
  EXPECT_THAT(parts.seconds(), IsEmpty());
}

}  // namespace
}  // namespace fpo::train

#include <string>
#include <vector>

#include "common/values/attempt_ref.h"
#include "common/values/end_class.h"
#include "common/values/job_state.h"
#include "common/values/line.h"
#include "common/values/phase.h"
#include "common/values/report.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

template <typename Enum>
std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (size_t i = 0; i < kEnumSize<Enum>; ++i) {
    const Enum value = static_cast<Enum>(i);
    names.emplace_back(Name(value));
    EXPECT_EQ(FromName<Enum>(Name(value)), value);
  }
  return names;
}

using Stored = std::vector<std::string>;

// Stores and scripts hold these texts: a change here is a change of what they can read.
TEST(ValueNames, AreWhatStoresHold) {
  EXPECT_EQ(Names<EndClass>(),
            (Stored{"done", "invalid", "memory", "program", "infrastructure", "asked"}));
  EXPECT_EQ(Names<Phase>(), (Stored{"prepare", "reference", "train", "finish"}));
  EXPECT_EQ(Names<LineStream>(), (Stored{"stdout", "stderr", "agent", "gap"}));
  EXPECT_EQ(Names<ReportStatus>(),
            (Stored{"accepted", "refused", "running", "succeeded", "failed", "stopped"}));
  EXPECT_EQ(Names<JobState>(), (Stored{"QUEUED", "RESERVED", "STARTING", "RUNNING", "RECOVERING",
                                       "CANCELLING", "SUCCEEDED", "FAILED", "CANCELLED", "HELD",
                                       "PAUSING", "PAUSED", "PREEMPTING"}));
}

TEST(ValueNames, NoneAndUnknownOnes) {
  EXPECT_EQ(Name(std::optional<EndClass>()), "");
  EXPECT_EQ(Name(std::optional<EndClass>(EndClass::kAsked)), "asked");
  EXPECT_EQ(FromName<EndClass>(""), std::nullopt);
  EXPECT_EQ(FromName<EndClass>("ASKED"), std::nullopt);
}

TEST(AttemptRef, HasANameAndAFolder) {
  const AttemptRef ref{"j-1", 2, 3};
  EXPECT_EQ(AttemptName(ref), "j-1/2/3");
  EXPECT_EQ(AttemptFolder(ref), "a2-e3");
  EXPECT_LT((AttemptRef{"j-1", 1, 9}), ref);
}

}  // namespace
}  // namespace fpo

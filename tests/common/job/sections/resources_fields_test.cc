#include "common/job/sections/resources_fields.h"

#include "gtest/gtest.h"

namespace fpo {
namespace {

ResourcesSection Asked(int64_t slots, int64_t min_slots = 0) {
  ResourcesSection asked;
  asked.slots = slots;
  asked.min_slots = min_slots;
  return asked;
}

ResourcesSection Requiring(const std::string& label) {
  ResourcesSection asked;
  asked.require = {label};
  return asked;
}

std::string ResourcesProblem(const ResourcesSection& resources, const std::string& kind = "train") {
  JobConfig config;
  config.kind = kind;
  config.resources = resources;
  const std::vector<JobProblem> problems = ResourcesProblems(config);
  return problems.empty() ? "" : problems[0].key + ": " + problems[0].message;
}

TEST(ResourcesFields, FewerSlotsAreForTrainingAndNoMoreThanAll) {
  EXPECT_EQ(ResourcesProblem({}), "");
  EXPECT_EQ(ResourcesProblem(Asked(4, 2)), "");
  EXPECT_EQ(ResourcesProblem(Asked(4, 4)), "");
  EXPECT_EQ(ResourcesProblem(Asked(4, 5)),
            "resources.min_slots: 5 is more than resources.slots, 4");
  EXPECT_EQ(ResourcesProblem(Asked(4, 2), "reference"),
            "resources.min_slots: is for kind train, not reference");
  EXPECT_EQ(ResourcesProblem(Asked(4), "reference"), "");
}

TEST(ResourcesFields, LabelsAndQueueMustSaySomething) {
  ResourcesSection nowhere;
  nowhere.queue = "";
  EXPECT_EQ(ResourcesProblem(nowhere), "resources.queue: must not be empty");
  for (const char* label : {"gpu", "=h100", "gpu="}) {
    EXPECT_NE(ResourcesProblem(Requiring(label)).find("must be name=value"), std::string::npos);
  }
  EXPECT_EQ(ResourcesProblem(Requiring("gpu=h100")), "");
}

// Programs of before it know no such key.
TEST(ResourcesFields, WhatIsNotAskedForIsNotWritten) {
  JobConfig config;
  EXPECT_EQ(WriteJobJson(config).find("min_slots"), std::string::npos);
  config.resources.slots = 4;
  config.resources.min_slots = 2;
  EXPECT_NE(WriteJobJson(config).find("\"min_slots\":2"), std::string::npos);
}

}  // namespace
}  // namespace fpo

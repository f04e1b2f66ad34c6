#include <gtest/gtest.h>

#include "train/collective/c10d_process_group.h"

namespace fpo::train {
namespace {

TEST(NoC10d, SaysHowToGetIt) {
  const auto group = JoinC10d({});
  EXPECT_TRUE(absl::IsUnimplemented(group.status()));
  EXPECT_NE(std::string(group.status().message()).find("libgloo-dev"), std::string::npos);
}

}  // namespace
}  // namespace fpo::train

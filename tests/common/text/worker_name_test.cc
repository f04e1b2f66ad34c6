#include "common/text/worker_name.h"

#include <string>

#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(WorkerName, IsWhatHostsAreCalled) {
  for (const char* good : {"w1", "gpu-7.cluster.example", "node_3", "A"}) {
    EXPECT_TRUE(IsWorkerName(good)) << good;
  }
  EXPECT_TRUE(IsWorkerName(std::string(253, 'a')));
  for (const std::string& bad :
       {std::string(), std::string(254, 'a'), std::string("../x"), std::string("a b"),
        std::string("a\nb"), std::string("a\0b", 3), std::string("b\xc3\xbcro")}) {
    EXPECT_FALSE(IsWorkerName(bad)) << bad;
  }
}

}  // namespace
}  // namespace fpo

#include "common/observe/process_metrics.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace fpo {
namespace {

double ValueOf(const std::string& name, const MetricsRegistry& registry) {
  std::istringstream lines(registry.Text());
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(name + " ", 0) == 0) return std::stod(line.substr(name.size() + 1));
  }
  ADD_FAILURE() << "no " << name;
  return -1;
}

TEST(ProcessMetrics, DescriptorsAreCountedAtEachScrape) {
  MetricsRegistry registry;
  ShowProcess(&registry);
  const double before = ValueOf("process_open_fds", registry);
  std::vector<int> opened;
  for (int i = 0; i < 5; ++i) opened.push_back(open("/dev/null", O_RDONLY));
  EXPECT_EQ(ValueOf("process_open_fds", registry), before + 5);
  for (const int descriptor : opened) close(descriptor);
  EXPECT_EQ(ValueOf("process_open_fds", registry), before);
  EXPECT_GT(ValueOf("process_resident_memory_bytes", registry), 1 << 20);
}

TEST(ProcessMetrics, TheLimitIsThatOfTheProcess) {
  rlimit limit = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_cur == RLIM_INFINITY) GTEST_SKIP() << "there is no limit";
  MetricsRegistry registry;
  ShowProcess(&registry);
  EXPECT_EQ(ValueOf("process_max_fds", registry), static_cast<double>(limit.rlim_cur));
}

}  // namespace
}  // namespace fpo

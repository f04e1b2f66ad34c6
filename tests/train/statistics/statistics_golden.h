#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace fpo::train {

// What make_statistics_goldens.py wrote: JSON.
inline std::string StatisticsGoldens() {
  const char* source = std::getenv("FPO_SOURCE_DIR");
  std::ifstream file(std::string(source ? source : ".") + "/tests/golden/statistics.json");
  EXPECT_TRUE(file.good());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace fpo::train

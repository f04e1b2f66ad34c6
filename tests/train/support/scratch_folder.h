#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "absl/status/status.h"

namespace fpo::train {

// A folder of the running test, removed with it.
class ScratchFolder {
 public:
  ScratchFolder() {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = ::testing::TempDir() + "fpo_" + info->test_suite_name() + "_" + info->name() + "_" +
            std::to_string(std::random_device{}());
    std::filesystem::create_directories(path_);
  }
  ~ScratchFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

  // Writes a file, with its folders; returns the path.
  std::string Put(const std::string& name, const std::string& bytes) const {
    const std::string path = *this / name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

 private:
  std::string path_;
};

inline std::string Slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A file of the shared test data, or "" when this machine has none: the test then skips.
inline std::string SharedData(const std::string& name) {
  const char* given = std::getenv("FPO_SHARED_DATA");
  const char* source = std::getenv("FPO_SOURCE_DIR");
  const std::string root =
      given != nullptr ? given : std::string(source ? source : ".") + "/../shared/data";
  const std::string path = root + "/" + name;
  return std::filesystem::exists(path) ? path : "";
}

// Calls `read` with `count` damaged copies of `bytes`: flipped bytes, cuts, insertions and
// overwritten lengths. The reader must return, whatever it returns; sanitizers see the rest.
inline void FuzzByMutation(const std::string& bytes, int count,
                           const std::function<void(const std::string&)>& read) {
  std::mt19937 random(20240711);
  const auto below = [&](size_t n) { return n == 0 ? 0 : random() % n; };
  for (int i = 0; i < count; ++i) {
    std::string damaged = bytes;
    for (size_t change = 0; change < 1 + below(4); ++change) {
      const size_t at = below(damaged.size());
      switch (below(5)) {
        case 0:
          if (!damaged.empty()) damaged[at] = static_cast<char>(random());
          break;
        case 1:
          damaged.resize(at);
          break;
        case 2:
          damaged.insert(at, std::string(1 + below(9), static_cast<char>(random())));
          break;
        case 3:
          if (at + 8 <= damaged.size()) damaged.replace(at, 8, 8, static_cast<char>(0xFF));
          break;
        default:
          // Headers are where the lengths are.
          if (!damaged.empty())
            damaged[below(std::min<size_t>(damaged.size(), 96))] ^= 1 << below(8);
      }
    }
    read(damaged);
  }
}

}  // namespace fpo::train

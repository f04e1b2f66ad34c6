// Runs a fuzz target over the files of its corpus: fpo_fuzz_corpus NAME FOLDER|FILE...

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <set>
#include <string>

#include "tests/fuzz/fuzz_target.h"

std::map<std::string, fpo::fuzz::Target>& fpo::fuzz::Targets() {
  static std::map<std::string, Target> targets;
  return targets;
}

namespace {

namespace fs = std::filesystem;

void RunFile(fpo::fuzz::Target target, const fs::path& path) {
  std::cout << path.filename().string() << std::endl;  // flushed: the last one named is the finding
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  // Of exactly its size, for the address sanitizer.
  const std::unique_ptr<uint8_t[]> exact(new uint8_t[bytes.size()]);
  std::memcpy(exact.get(), bytes.data(), bytes.size());
  target(exact.get(), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  const auto& targets = fpo::fuzz::Targets();
  const auto target = targets.find(argc > 1 ? argv[1] : "");
  std::set<fs::path> files;
  for (int i = 2; i < argc; ++i) {
    if (!fs::is_directory(argv[i])) {
      files.insert(argv[i]);
      continue;
    }
    for (const auto& entry : fs::directory_iterator(argv[i])) files.insert(entry.path());
  }
  if (target == targets.end() || files.empty()) {
    std::cerr << "usage: " << argv[0] << " TARGET FOLDER|FILE...; there are:";
    for (const auto& [name, function] : targets) std::cerr << " " << name;
    std::cerr << "\n";
    return 2;
  }
  for (const fs::path& file : files) RunFile(target->second, file);
  std::cout << files.size() << " inputs\n";
  return 0;
}

// Runs a fuzz target over the files of its corpus: fpo_fuzz_NAME FOLDER|FILE...

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <set>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

namespace fs = std::filesystem;

void RunFile(const fs::path& path) {
  std::cout << path.filename().string() << std::endl;  // flushed: the last one named is the finding
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  // Of exactly its size, for the address sanitizer.
  const std::unique_ptr<uint8_t[]> exact(new uint8_t[bytes.size()]);
  std::memcpy(exact.get(), bytes.data(), bytes.size());
  LLVMFuzzerTestOneInput(exact.get(), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::set<fs::path> files;
  for (int i = 1; i < argc; ++i) {
    if (!fs::is_directory(argv[i])) {
      files.insert(argv[i]);
      continue;
    }
    for (const auto& entry : fs::directory_iterator(argv[i])) files.insert(entry.path());
  }
  if (files.empty()) {
    std::cerr << "usage: " << argv[0] << " FOLDER|FILE...; there is no input\n";
    return 2;
  }
  for (const fs::path& file : files) RunFile(file);
  std::cout << files.size() << " inputs\n";
  return 0;
}

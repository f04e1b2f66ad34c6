#include "tests/fuzz/input_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "tests/fuzz/fuzz_check.h"

namespace fpo::fuzz {
namespace {

namespace fs = std::filesystem;

struct Folder {
  Folder() {
    const fs::path memory = "/dev/shm";
    const fs::path root = access(memory.c_str(), W_OK) == 0 ? memory : fs::temp_directory_path();
    path = (root / ("fpo-fuzz." + std::to_string(getpid()))).string();
    fs::create_directories(path);
  }
  ~Folder() {
    std::error_code error;
    fs::remove_all(path, error);
  }
  std::string path;
};

}  // namespace

const std::string& InputFolder() {
  static const Folder folder;
  return folder.path;
}

std::string WriteInput(const std::string& name, absl::string_view bytes) {
  std::string path = InputFolder() + "/" + name;
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  FUZZ_CHECK(file >= 0);
  size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t some = write(file, bytes.data() + written, bytes.size() - written);
    FUZZ_CHECK(some > 0);
    written += static_cast<size_t>(some);
  }
  close(file);
  return path;
}

}  // namespace fpo::fuzz

#include "common/nvidia.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace fpo {
namespace {

bool IsDeviceFile(absl::string_view name) {
  if (name == "nvidiactl" || name == "dxg") return true;
  absl::string_view number = name;
  if (!absl::ConsumePrefix(&number, "nvidia") || number.empty()) return false;
  return std::all_of(number.begin(), number.end(), absl::ascii_isdigit);
}

}  // namespace

std::vector<std::string> NvidiaDeviceFiles(const std::string& dev) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dev, error)) {
    if (IsDeviceFile(entry.path().filename().string())) files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string NvidiaDriverVersion(const std::string& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  // "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 ...": the first word
  // that is numbers and dots, whatever stands before it.
  for (const absl::string_view word : absl::StrSplit(line, ' ', absl::SkipEmpty())) {
    const bool version =
        absl::ascii_isdigit(static_cast<unsigned char>(word[0])) && absl::StrContains(word, '.') &&
        std::all_of(word.begin(), word.end(),
                    [](unsigned char c) { return absl::ascii_isdigit(c) || c == '.'; });
    if (version) return std::string(word);
  }
  return "";
}

bool HidesEveryGpu(const std::optional<std::string>& visible_devices) {
  if (!visible_devices.has_value()) return false;
  const absl::string_view list = absl::StripAsciiWhitespace(*visible_devices);
  return list.empty() || list == "-1" || list == "NoDevFiles";
}

}  // namespace fpo

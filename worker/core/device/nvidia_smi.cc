#include "worker/core/device/nvidia_smi.h"

#include <unistd.h>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/status_macros.h"
#include "worker/core/process/rank_process.h"

namespace fpo::worker {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);
constexpr size_t kOutputBytesMax = 1 << 16;

// Keeps what the program prints.
class Output final : public RankSink {
 public:
  void OnLine(int32_t, LineStream stream, const std::string& text) override {
    std::string& kept = stream == LineStream::kStdout ? out : err;
    if (kept.size() < kOutputBytesMax) absl::StrAppend(&kept, text, "\n");
  }
  void OnEvent(int32_t, const TrainEvent&, const std::string&) override {}
  std::string out, err;
};

std::string FindProgram(const std::string& program, const std::string& path) {
  if (program.find('/') != std::string::npos) return program;
  for (const absl::string_view folder : absl::StrSplit(path, ':', absl::SkipEmpty())) {
    const std::string full = absl::StrCat(folder, "/", program);
    if (access(full.c_str(), X_OK) == 0) return full;
  }
  return "";
}

}  // namespace

absl::StatusOr<std::vector<Device>> ParseNvidiaSmi(absl::string_view text) {
  std::vector<Device> devices;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipWhitespace())) {
    std::vector<std::string> cells = absl::StrSplit(line, ',');
    for (std::string& cell : cells) absl::StripAsciiWhitespace(&cell);
    Device device;
    int64_t total_mib = 0;
    int64_t used_mib = 0;
    if (cells.size() != 6 || !absl::SimpleAtoi(cells[0], &device.index) ||
        !absl::SimpleAtoi(cells[3], &total_mib) || !absl::SimpleAtoi(cells[4], &used_mib)) {
      return absl::DataLossError(absl::StrCat("nvidia-smi says \"", line.substr(0, 200), "\""));
    }
    device.uuid = cells[1];
    device.name = cells[2];
    device.memory_bytes = total_mib << 20;
    device.used_bytes = used_mib << 20;
    device.driver = cells[5];
    devices.push_back(std::move(device));
  }
  return devices;
}

NvidiaSmi::NvidiaSmi(const std::string& program, const std::string& path, Spawner* spawner)
    : program_(FindProgram(program, path)), spawner_(spawner) {}

absl::StatusOr<std::vector<Device>> NvidiaSmi::Read() {
  if (program_.empty()) return absl::NotFoundError("nvidia-smi is not in PATH");
  RankCommand command;
  command.identity.attempt.job_id = "nvidia-smi";
  command.spawn.argv = {program_,
                        "--query-gpu=index,uuid,name,memory.total,memory.used,driver_version",
                        "--format=csv,noheader,nounits"};
  command.spawn.folder = "/";
  command.spawn.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
  for (std::string& entry : IdentityEnvironment(command.identity)) {
    command.spawn.environment.push_back(std::move(entry));
  }
  Output output;
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<RankProcess> process,
                       RankProcess::Start(*spawner_, command, output));
  RankExit exit;
  if (!process->WaitFor(kPatience, &exit)) {
    process->Stop(absl::ZeroDuration());
    process->Wait();
    return absl::UnavailableError(absl::StrCat(program_, " did not answer within 10 s"));
  }
  if (!exit.ended || exit.code != 0 || exit.signal != 0) {
    return absl::UnavailableError(absl::StrCat(program_, ": ", DescribeExit(exit), ": ",
                                               output.err.empty() ? output.out : output.err));
  }
  return ParseNvidiaSmi(output.out);
}

}  // namespace fpo::worker

#include "tests/support/step_run.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "common/hash.h"
#include "tests/support/temp_folder.h"

namespace fpo::testing {

using nlohmann::json;

bool MeetOtherRank(const std::string& address, bool leads) {
  const size_t colon = address.rfind(':');
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &place.sin_addr);
  const auto* where = reinterpret_cast<const sockaddr*>(&place);
  for (int tries = 0; tries < 300; ++tries) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (leads && bind(fd, where, sizeof(place)) == 0 && listen(fd, 8) == 0) {
      return accept(fd, nullptr, nullptr) >= 0;
    }
    if (!leads && connect(fd, where, sizeof(place)) == 0) return true;
    close(fd);
    usleep(50'000);
  }
  return false;
}

StepRun::StepRun(Options options) : options_(std::move(options)) {
  sscanf(options_.how.c_str(), "steps-%d-%d-%d-%d", &steps_, &milliseconds_, &every_, &padding_);
}

int StepRun::Run() {
  if (options_.how.find("+stubborn") != std::string::npos) signal(SIGTERM, SIG_IGN);
  // A child that outlives SIGTERM and holds our stdout open.
  if (options_.how.find("+hold") != std::string::npos && fork() == 0) {
    signal(SIGTERM, SIG_IGN);
    for (;;) pause();
  }
  Resume();
  while (step_ < steps_) {
    if (*options_.stop) {
      Save();
      return 7;
    }
    usleep(static_cast<useconds_t>(milliseconds_) * 1000);
    weights_ = ToHex(Sha256Of(weights_ + " " + std::to_string(++step_)));
    std::cout << "step " << step_ << std::string(static_cast<size_t>(padding_), ' ') << std::endl;
    options_.emit(StepEvent(step_, steps_,
                            {{"step_seconds", milliseconds_ / 1000.0}, {"loss", 1.0 / step_}}));
    if (every_ > 0 && step_ % every_ == 0) Save();
  }
  if (options_.leads) WriteWhole(options_.out + "/weights", weights_);
  return 0;
}

void StepRun::Resume() {
  std::filesystem::create_directories(options_.out + "/checkpoints");
  for (const auto& entry : std::filesystem::directory_iterator(options_.out + "/checkpoints")) {
    int step = 0;
    char rest = 0;
    const std::string name = entry.path().filename().string();
    if (sscanf(name.c_str(), "step-%d%c", &step, &rest) != 1 || step <= step_) continue;
    step_ = step;
    weights_ = ReadWhole(entry.path() / "model.safetensors");
  }
  std::cout << "goes on from step " << step_ << std::endl;
}
void StepRun::Save() {
  if (!options_.leads) return;
  const std::string folder = options_.out + "/checkpoints/step-" + std::to_string(step_);
  if (std::filesystem::exists(folder)) return;
  std::filesystem::create_directories(folder + ".tmp");
  WriteWhole(folder + ".tmp/model.safetensors", weights_);
  const json manifest = {{"version", 1},
                         {"step", step_},
                         {"score", nullptr},
                         {"files",
                          {{"model.safetensors",
                            {{"bytes", weights_.size()}, {"sha256", ToHex(Sha256Of(weights_))}}}}}};
  WriteWhole(folder + ".tmp/manifest.json", manifest.dump());
  std::filesystem::rename(folder + ".tmp", folder);
  options_.emit(CheckpointEvent(step_, folder));
}

}  // namespace fpo::testing

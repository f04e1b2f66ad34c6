#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "common/values/worker_device.h"

namespace fpo::coordinator {

// What one worker can offer to a job now.
struct SlotOffer {
  std::string worker_id;
  std::string instance_id;
  DeviceKind device = DeviceKind::kCpu;  // a gang never mixes them
  int32_t slots = 0;                     // in all
  int32_t free = 0;                      // not usable while the worker is lost or takes no jobs
  bool connected = false;
  bool open = true;  // neither cordoned nor draining
  std::map<std::string, std::string> labels = {};
  bool gone = false;      // lost for so long that no job waits for it any more
  std::string home = {};  // WorkerHello::home_id

  int32_t usable() const { return connected && open ? free : 0; }
};

}  // namespace fpo::coordinator

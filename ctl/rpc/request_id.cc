#include "ctl/rpc/request_id.h"

#include <cstdint>
#include <iomanip>
#include <random>
#include <sstream>

namespace fpo::ctl {

std::string NewRequestId() {
  std::random_device random;
  std::ostringstream hex;
  hex << std::hex << std::setfill('0');
  for (int i = 0; i < 4; ++i) hex << std::setw(8) << static_cast<uint32_t>(random());
  std::string id = hex.str();
  id[12] = '4';
  id[16] = "89ab"[random() % 4];
  for (const size_t at : {20, 16, 12, 8}) id.insert(at, "-");
  return id;
}

}  // namespace fpo::ctl

#pragma once

#include <string>

namespace fpo::ctl {

std::string NewRequestId();  // a random UUID (version 4)

}  // namespace fpo::ctl

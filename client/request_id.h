#pragma once

#include <string>

namespace fpo::client {

std::string NewRequestId();  // a random UUID (version 4)

}  // namespace fpo::client

#pragma once

#include <cstdint>
#include <string>

namespace fpo {

// Which jobs' store, and how far it had got. An agent keeps that of the coordinator whose attempts
// it runs: a coordinator on another store, or on an older state of this one, knows less about them.
struct StoreMark {
  std::string id = {};    // empty: not known
  uint64_t revision = 0;  // of the newest durable change

  bool operator==(const StoreMark&) const = default;
};

}  // namespace fpo

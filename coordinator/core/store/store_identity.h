#pragma once

#include <cstdint>
#include <string>

namespace fpo::coordinator {

// What tells one jobs' store from another, and a store from an older copy of itself. Agents keep
// id and revision of the store whose jobs they run, and neither side accepts another one.
struct StoreIdentity {
  std::string id = {};  // random, made with the store; its copies have it too
  // False: the store was made because its folder was empty, and no agent has been accepted yet. It
  // may be the wrong folder.
  bool confirmed = true;
  // It was restored from a backup and no attempt was started since: agents may run what it does not
  // know.
  bool restored = false;
  uint64_t revision = 0;  // of the newest durable change; only grows

  bool operator==(const StoreIdentity&) const = default;
};

}  // namespace fpo::coordinator

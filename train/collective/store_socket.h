#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/files/file_descriptor.h"

namespace fpo::train {

// A listening socket on the one address that the other ranks are told, for the store through which
// they find each other: LibTorch's own listens on every interface, and asks no one for a name.
// nullopt when `host` is no address of this machine (a name that only others resolve so) or the
// port is taken: then LibTorch is left to it, or to say so.
std::optional<FileDescriptor> ListenForRanks(const std::string& host, uint16_t port);

}  // namespace fpo::train

#pragma once

#include <string>

namespace fpo::worker {

// The text with every byte that is not part of well-formed UTF-8 replaced by '?'. What ranks print
// may be anything, also half a character where a long line was cut; a protobuf string must not be:
// the receiver would refuse the message and end the session.
std::string ToValidUtf8(std::string text);

}  // namespace fpo::worker

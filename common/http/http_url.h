#pragma once

#include <string>

#include "absl/status/status.h"

namespace fpo {

// What an operator's URL must be before anything is sent there: https, or http to this host
// (localhost, 127.0.0.0/8, ::1), or to any with `allow_plain`; without a user name or a password,
// which would get into error messages. The errors do not repeat the URL.
absl::Status CheckHttpUrl(const std::string& url, bool allow_plain);

// "https://hooks.example.org:8443": all of a URL that a log may have, since paths and queries of
// hooks hold keys. "(no URL)" where it is none.
std::string HttpOrigin(const std::string& url);

}  // namespace fpo

#include "train/collective/store_socket.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

#include "tests/train/support/free_port.h"

namespace fpo::train {
namespace {

std::string AddressOf(const FileDescriptor& listener) {
  sockaddr_in address = {};
  socklen_t size = sizeof(address);
  EXPECT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  char text[INET_ADDRSTRLEN] = "";
  return inet_ntop(AF_INET, &address.sin_addr, text, sizeof(text));
}

TEST(ListenForRanks, OnTheNamedAddressOnly) {
  const auto port = static_cast<uint16_t>(FreePort());
  const std::optional<FileDescriptor> listener = ListenForRanks("127.0.0.1", port);
  ASSERT_TRUE(listener.has_value());
  EXPECT_EQ(AddressOf(*listener), "127.0.0.1") << "not 0.0.0.0";
  EXPECT_FALSE(ListenForRanks("127.0.0.1", port).has_value()) << "the port is taken";
}

TEST(ListenForRanks, AnAddressOfAnotherMachineIsLeftToOthers) {
  EXPECT_FALSE(ListenForRanks("192.0.2.1", static_cast<uint16_t>(FreePort())).has_value());
  EXPECT_FALSE(ListenForRanks("no-such-host.invalid", 1).has_value());
}

}  // namespace
}  // namespace fpo::train

#include "common/rpc/acceptor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/waits/moved_wall.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;

// Connects to 127.0.0.1.
FileDescriptor Dial(int port) {
  FileDescriptor fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) fd.Close();
  return fd;
}

// Whether the other side closed it, before it sent anything.
bool IsClosedByPeer(const FileDescriptor& fd) {
  pollfd waiting{fd.get(), POLLIN, 0};
  char byte = 0;
  return poll(&waiting, 1, 10'000) == 1 && recv(fd.get(), &byte, 1, 0) == 0;
}

class AcceptorTest : public ::testing::Test {
 protected:
  void Start(Acceptor::Options options = {}) {
    options.listen = "127.0.0.1:0";
    acceptor_ = Acceptor::Listen(options).value();
    acceptor_->Start([this](FileDescriptor connection) {
      absl::MutexLock lock(&mutex_);
      taken_.push_back(std::move(connection));
    });
  }
  // False when fewer were taken within ten seconds.
  bool AwaitTaken(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto taken = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return taken_.size() >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&taken), absl::Seconds(10));
  }

  absl::Mutex mutex_;
  std::vector<FileDescriptor> taken_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Acceptor> acceptor_;  // last: its thread uses the others
};

TEST_F(AcceptorTest, PassesConnectionsOn) {
  Start();
  const FileDescriptor one = Dial(acceptor_->port());
  const FileDescriptor two = Dial(acceptor_->port());
  ASSERT_TRUE(AwaitTaken(2));
  absl::MutexLock lock(&mutex_);
  EXPECT_NE(fcntl(taken_[0].get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(acceptor_->numbers().open, 2);
}

TEST_F(AcceptorTest, ConnectionsBeyondTheLimitAreClosedAndCountedUntilOthersEnd) {
  Start({.connections_max = 2});
  std::vector<FileDescriptor> first;
  for (int i = 0; i < 2; ++i) first.push_back(Dial(acceptor_->port()));
  ASSERT_TRUE(AwaitTaken(2));
  EXPECT_TRUE(IsClosedByPeer(Dial(acceptor_->port())));
  EXPECT_EQ(acceptor_->numbers().refused, 1);
  {
    absl::MutexLock lock(&mutex_);
    taken_.erase(taken_.begin());
  }
  EXPECT_EQ(acceptor_->numbers().open, 1);
  const FileDescriptor third = Dial(acceptor_->port());
  EXPECT_TRUE(AwaitTaken(2)) << "a connection that ended makes room";
}

// A descriptor that was closed and opened again is another connection.
TEST_F(AcceptorTest, ADescriptorThatWasUsedAgainIsNotTheConnection) {
  Start();
  const FileDescriptor one = Dial(acceptor_->port());
  ASSERT_TRUE(AwaitTaken(1));
  absl::MutexLock lock(&mutex_);
  const FileDescriptor other(socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_GE(dup2(other.get(), taken_[0].get()), 0);
  EXPECT_EQ(acceptor_->numbers().open, 0);
}

TEST_F(AcceptorTest, AcceptsAgainAfterItRanOutOfDescriptors) {
  Start();
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  FileDescriptor one = Dial(acceptor_->port());
  ASSERT_TRUE(AwaitTaken(1));
  const FileDescriptor dialling(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // The next descriptor is above the limit: `dialling` is the highest.
  rlimit low = before;
  low.rlim_cur = static_cast<rlim_t>(dialling.get()) + 1;
  std::vector<FileDescriptor> fill;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  for (int fd = dup(0); fd >= 0; fd = dup(0)) fill.emplace_back(fd);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(acceptor_->port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(dialling.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  while (acceptor_->Health().ok()) {
  }
  EXPECT_THAT(std::string(acceptor_->Health().message()), HasSubstr("Too many open files"));
  EXPECT_THAT(std::string(acceptor_->Health().message()),
              HasSubstr(absl::StrCat("ulimit -n is ", low.rlim_cur)));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(AwaitTaken(2)) << "the one that waited is taken";
  EXPECT_TRUE(acceptor_->Health().ok());
}

TEST_F(AcceptorTest, ATakenAddressIsUnavailable) {
  Start();
  const absl::Status second =
      Acceptor::Listen({.listen = absl::StrCat("127.0.0.1:", acceptor_->port())}).status();
  EXPECT_TRUE(absl::IsUnavailable(second)) << second;
}

TEST_F(AcceptorTest, ListensOnEveryAddressOfAHostName) {
  acceptor_ = Acceptor::Listen({.listen = "localhost:0"}).value();
  EXPECT_GT(acceptor_->port(), 0);
  EXPECT_TRUE(Dial(acceptor_->port()).is_open());
}

TEST_F(AcceptorTest, RoomIsSeenAlsoAfterTheWallClockWasSetBack) {
  std::vector<FileDescriptor> first;
  {
    const fpo::testing::MovedWall ahead(absl::Hours(1));
    Start({.connections_max = 2});
    for (int i = 0; i < 2; ++i) first.push_back(Dial(acceptor_->port()));
    ASSERT_TRUE(AwaitTaken(2));
    EXPECT_TRUE(IsClosedByPeer(Dial(acceptor_->port())));
  }
  {
    absl::MutexLock lock(&mutex_);
    taken_.clear();
  }
  const absl::Time end = BootNow() + absl::Seconds(20);
  const auto is_taken = [&] {
    absl::MutexLock lock(&mutex_);
    return !taken_.empty();
  };
  while (!is_taken() && BootNow() < end) {
    first.push_back(Dial(acceptor_->port()));
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_TRUE(is_taken());
}

}  // namespace
}  // namespace fpo

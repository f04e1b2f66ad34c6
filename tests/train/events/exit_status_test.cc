#include "train/events/exit_status.h"

#include <gtest/gtest.h>

namespace fpo::train {
namespace {

TEST(ExitStatus, CarriesItsCode) {
  for (const ExitCode code :
       {ExitCode::kForeignCache, ExitCode::kStopped, ExitCode::kNotFinite, ExitCode::kStorage,
        ExitCode::kPeerLost, ExitCode::kDevice, ExitCode::kContract}) {
    const absl::Status status = FailWith(code, "why");
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(ExitCodeOf(status), code);
    EXPECT_EQ(status.message(), "why");
  }
}

TEST(ExitStatus, CodesStandForExits) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), ExitCode::kDone);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), ExitCode::kInvalid);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), ExitCode::kInvalid);
  EXPECT_EQ(ExitCodeOf(absl::DataLossError("")), ExitCode::kInvalid);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), ExitCode::kStorage);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), ExitCode::kBug);
}

TEST(ExitStatus, FullDiskIsStorageNotMemory) {
  const absl::Status full = absl::ResourceExhaustedError("no space left");
  EXPECT_EQ(ExitCodeOf(full), ExitCode::kStorage) << "even without FailWith";
  EXPECT_EQ(ExitCodeOf(AsStorageError(full)), ExitCode::kStorage);
  EXPECT_TRUE(AsStorageError(absl::OkStatus()).ok());
}

TEST(ExitStatus, EveryCodeHasAClass) {
  EXPECT_EQ(ErrorClass(ExitCode::kInvalid), "invalid");
  EXPECT_EQ(ErrorClass(ExitCode::kOutOfMemory), "memory");
  EXPECT_EQ(ErrorClass(ExitCode::kNotFinite), "not_finite");
  EXPECT_EQ(ErrorClass(ExitCode::kDevice), "device");
  EXPECT_EQ(ErrorClass(ExitCode::kContract), "contract");
}

}  // namespace
}  // namespace fpo::train

#include "tests/ctl/command_run.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/ctl/hint_check.h"

namespace fpo::ctl {

CommandRun::CommandRun() {
  environment_.server = coordinator_.address();
  environment_.cache_server = cache_.address();
  environment_.user = "ann";
  times_.submit_repeat_for = absl::Seconds(5);
  times_.export_look = absl::Milliseconds(1);
  times_.reconnect = {absl::Milliseconds(1), absl::Milliseconds(5), absl::Seconds(5)};
  folder_ = absl::StrCat(::testing::TempDir(),
                         ::testing::UnitTest::GetInstance()->current_test_info()->name());
  std::filesystem::create_directories(folder_);
}

CommandRun::Result CommandRun::Run(const std::vector<std::string>& args) {
  std::ostringstream out;
  std::ostringstream err;
  const int code = RunCommandLine(args, {environment_, out, err, interrupt_, times_});
  ExpectUsefulHints(err.str(), args);
  return {code, out.str(), err.str()};
}

std::string CommandRun::WriteJob(const std::string& text) {
  const std::string path = absl::StrCat(folder_, "/job.yaml");
  std::ofstream(path) << text;
  return path;
}

}  // namespace fpo::ctl

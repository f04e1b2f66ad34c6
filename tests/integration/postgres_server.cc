#include "tests/integration/postgres_server.h"

#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace fpo::testing {
namespace {

namespace fs = std::filesystem;

constexpr char kBin[] = "/usr/lib/postgresql/15/bin/";

// postgres refuses to run as root.
const passwd* OtherUser() {
  for (const char* name : {"postgres", "nobody"}) {
    if (const passwd* user = getpwnam(name)) return user;
  }
  return nullptr;
}

std::vector<std::string> AsOther(std::vector<std::string> argv) {
  if (geteuid() != 0) return argv;
  const passwd* const user = OtherUser();
  std::vector<std::string> words = {"/usr/bin/setpriv", absl::StrCat("--reuid=", user->pw_uid),
                                    absl::StrCat("--regid=", user->pw_gid), "--clear-groups"};
  words.insert(words.end(), argv.begin(), argv.end());
  return words;
}

}  // namespace

std::string PostgresServer::Missing() {
  if (!fs::exists(absl::StrCat(kBin, "postgres"))) {
    return "PostgreSQL 15 is not installed (the Debian package postgresql-15)";
  }
  if (geteuid() == 0 && (OtherUser() == nullptr || !fs::exists("/usr/bin/setpriv"))) {
    return "postgres does not run as root, and there is no other user or no setpriv";
  }
  return "";
}

void PostgresServer::MakeFolder() {
  char folder[] = "/tmp/fpo-postgres-XXXXXX";
  folder_ = mkdtemp(folder);
  if (geteuid() == 0) {
    EXPECT_EQ(chown(folder_.c_str(), OtherUser()->pw_uid, OtherUser()->pw_gid), 0);
  }
  chmod(folder_.c_str(), 0755);
}

Outcome PostgresServer::Run(const std::string& program, std::vector<std::string> words) const {
  words.insert(words.begin(), kBin + program);
  return RunProgram(AsOther(std::move(words)), {"LC_ALL=C", "PGUSER=postgres"});
}

PostgresServer::PostgresServer(std::vector<std::string> settings) : settings_(std::move(settings)) {
  MakeFolder();
  const Outcome made = Run("initdb", {"-D", folder_ + "/data", "-U", "postgres", "-A", "trust",
                                      "--no-locale", "-E", "UTF8", "-N"});
  EXPECT_EQ(made.code, 0) << made.err;
  Start();
}

PostgresServer::PostgresServer(const PostgresServer& primary, std::vector<std::string> settings)
    : settings_(std::move(settings)) {
  MakeFolder();
  const Outcome copied = Run("pg_basebackup", {"-D", folder_ + "/data", "-h", primary.folder_, "-R",
                                               "-X", "stream", "-c", "fast", "--no-sync"});
  EXPECT_EQ(copied.code, 0) << copied.err;
  Start();
}

PostgresServer::~PostgresServer() {
  Kill();
  std::error_code error;
  fs::remove_all(folder_, error);
}

bool PostgresServer::Answers() const { return Run("pg_isready", {"-q", "-h", folder_}).code == 0; }

void PostgresServer::Start() {
  std::vector<std::string> argv = {absl::StrCat(kBin, "postgres"),
                                   "-D",
                                   folder_ + "/data",
                                   "-k",
                                   folder_,
                                   "-c",
                                   "listen_addresses=",
                                   "-c",
                                   "max_connections=60"};
  for (const std::string& setting : settings_) argv.insert(argv.end(), {"-c", setting});
  std::error_code error;
  fs::remove(folder_ + "/data/postmaster.pid", error);  // of one that was killed
  process_ = std::make_unique<Process>(AsOther(std::move(argv)),
                                       std::vector<std::string>{"LC_ALL=C"}, folder_ + "/log");
  const absl::Time give_up = absl::Now() + absl::Seconds(60);
  while (!Answers()) {
    ASSERT_LT(absl::Now(), give_up) << log();
    ASSERT_EQ(process_->Wait(absl::ZeroDuration()), -1) << log();
    absl::SleepFor(absl::Milliseconds(20));
  }
}

void PostgresServer::Stop(const std::string& how) {
  if (!process_) return;
  process_->Signal(how == "smart" ? SIGTERM : how == "fast" ? SIGINT : SIGQUIT);
  EXPECT_NE(process_->Wait(absl::Seconds(60)), -1) << log();
  process_.reset();
}

// Its processes have sessions of their own, and one folder.
std::vector<pid_t> PostgresServer::Pids() const {
  std::vector<pid_t> pids;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    if (!std::all_of(name.begin(), name.end(), ::isdigit)) continue;
    std::error_code gone;
    if (fs::read_symlink(entry.path() / "cwd", gone) == folder_ + "/data") {
      pids.push_back(static_cast<pid_t>(std::stol(name)));
    }
  }
  return pids;
}

void PostgresServer::Kill() {
  if (!process_) return;
  process_->Signal(SIGKILL);
  process_->Wait(absl::Seconds(20));
  process_.reset();
  for (std::vector<pid_t> pids; !(pids = Pids()).empty();) {
    for (const pid_t pid : pids) ::kill(pid, SIGKILL);
    absl::SleepFor(absl::Milliseconds(5));
  }
}

void PostgresServer::Promote() {
  const Outcome promoted = Run("pg_ctl", {"promote", "-w", "-D", folder_ + "/data"});
  ASSERT_EQ(promoted.code, 0) << promoted.err << promoted.out << log();
}

std::string PostgresServer::Query(const std::string& sql) {
  const Outcome answer = Run("psql", {"-h", folder_, "-Atqc", sql, "postgres"});
  EXPECT_EQ(answer.code, 0) << sql << ": " << answer.err;
  return std::string(absl::StripAsciiWhitespace(answer.out));
}

std::string PostgresServer::UrlOf(const std::vector<const PostgresServer*>& servers) {
  std::vector<std::string> folders, ports;
  for (const PostgresServer* server : servers) {
    folders.push_back(server->folder_);
    ports.push_back("5432");
  }
  return absl::StrCat("postgresql:///postgres?user=postgres&host=", absl::StrJoin(folders, ","),
                      "&port=", absl::StrJoin(ports, ","));
}

}  // namespace fpo::testing

#include "tests/support/web/live_browser.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace fpo::testing {
namespace {

using nlohmann::json;

constexpr char kChromium[] = "/usr/bin/chromium";
constexpr absl::Duration kCallTime = absl::Seconds(60);

std::string TextOf(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "" : value.dump();
}

}  // namespace

bool LiveBrowser::IsInstalled() { return access(kChromium, X_OK) == 0; }

LiveBrowser::LiveBrowser(const std::string& folder) {
  int to[2], from[2];
  EXPECT_EQ(pipe2(to, O_CLOEXEC), 0);
  EXPECT_EQ(pipe2(from, O_CLOEXEC), 0);
  // Above the numbers that the browser expects, so that neither is overwritten below.
  const int reads = fcntl(to[0], F_DUPFD_CLOEXEC, 10), writes = fcntl(from[1], F_DUPFD_CLOEXEC, 10);
  std::vector<std::string> words = {kChromium,
                                    "--headless",
                                    "--no-sandbox",
                                    "--disable-gpu",
                                    "--hide-scrollbars",
                                    "--remote-debugging-pipe",
                                    absl::StrCat("--user-data-dir=", folder, "/browser")};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, reads, 3);
  posix_spawn_file_actions_adddup2(&actions, writes, 4);
  posix_spawn_file_actions_addopen(&actions, 2, absl::StrCat(folder, "/browser.log").c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);  // it has children
  EXPECT_EQ(posix_spawn(&pid_, argv[0], &actions, &attributes, argv.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  for (const int fd : {to[0], from[1], reads, writes}) close(fd);
  in_ = to[1];
  out_ = from[0];
  const json target = Call("Target.createTarget", {{"url", "about:blank"}});
  session_ =
      Call("Target.attachToTarget", {{"targetId", target.value("targetId", "")}, {"flatten", true}})
          .value("sessionId", "");
  for (const char* domain : {"Page", "Runtime", "Log"}) {
    Call(absl::StrCat(domain, ".enable"), json::object());
  }
  Look({});
}

LiveBrowser::~LiveBrowser() {
  close(in_);
  close(out_);
  kill(-pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

json LiveBrowser::Next(absl::Time deadline) {
  size_t end = 0;
  while ((end = buffer_.find('\0')) == std::string::npos) {
    const absl::Duration left = deadline - absl::Now();
    pollfd wait{out_, POLLIN, 0};
    if (left <= absl::ZeroDuration() ||
        poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1) <= 0) {
      return nullptr;
    }
    char bytes[65536];
    const ssize_t got = read(out_, bytes, sizeof(bytes));
    if (got <= 0) return nullptr;
    buffer_.append(bytes, static_cast<size_t>(got));
  }
  json message = json::parse(buffer_.substr(0, end), nullptr, /*allow_exceptions=*/false);
  buffer_.erase(0, end + 1);
  return message;
}

void LiveBrowser::Notice(const json& event) {
  const std::string method = event.value("method", "");
  if (method == "Page.loadEventFired") loaded_ = true;
  const json params = event.value("params", json::object());
  if (method == "Runtime.exceptionThrown") {
    const json& details = params["exceptionDetails"];
    faults_.push_back(absl::StrCat(
        "exception: ", TextOf(details.value("exception", json::object())["description"])));
  }
  if (method == "Log.entryAdded" && params["entry"].value("level", "") == "error") {
    faults_.push_back(params["entry"].value("text", ""));
  }
}

json LiveBrowser::Call(const std::string& method, const json& params) {
  json message = {{"id", ++last_id_}, {"method", method}, {"params", params}};
  if (!session_.empty()) message["sessionId"] = session_;
  const std::string text = message.dump() + '\0';
  for (size_t sent = 0; sent < text.size();) {
    const ssize_t wrote = write(in_, text.data() + sent, text.size() - sent);
    if (wrote <= 0) {
      ADD_FAILURE() << "the browser has ended";
      return json::object();
    }
    sent += static_cast<size_t>(wrote);
  }
  const absl::Time deadline = absl::Now() + kCallTime;
  for (json answer = Next(deadline); !answer.is_null(); answer = Next(deadline)) {
    if (answer.value("id", int64_t{0}) != last_id_) {
      Notice(answer);
      continue;
    }
    if (answer.contains("error")) ADD_FAILURE() << method << ": " << answer["error"];
    return answer.value("result", json::object());
  }
  ADD_FAILURE() << "the browser does not answer " << method;
  return json::object();
}

void LiveBrowser::Look(const View& view) {
  Call("Emulation.setDeviceMetricsOverride", {{"width", view.width},
                                              {"height", view.height},
                                              {"deviceScaleFactor", 1},
                                              {"mobile", view.width < 600}});
  const json scheme = {{"name", "prefers-color-scheme"}, {"value", view.dark ? "dark" : "light"}};
  Call("Emulation.setEmulatedMedia", {{"features", json::array({scheme})}});
}

void LiveBrowser::Open(const std::string& url) {
  loaded_ = false;
  // Of an address that differs in its fragment alone there is no load.
  Call("Page.navigate", {{"url", "about:blank"}});
  while (!loaded_) {
    const json event = Next(absl::Now() + kCallTime);
    if (event.is_null()) break;
    Notice(event);
  }
  loaded_ = false;
  Call("Page.navigate", {{"url", url}});
  while (!loaded_) {
    const json event = Next(absl::Now() + kCallTime);
    if (event.is_null()) {
      ADD_FAILURE() << url << " does not load";
      return;
    }
    Notice(event);
  }
}

std::string LiveBrowser::Eval(const std::string& expression) {
  const json answer = Call("Runtime.evaluate", {{"expression", expression},
                                                {"awaitPromise", true},
                                                {"returnByValue", true},
                                                {"userGesture", true}});
  if (answer.contains("exceptionDetails")) {
    return absl::StrCat("script: ", TextOf(answer["exceptionDetails"].dump()));
  }
  return TextOf(answer.value("result", json::object()).value("value", json()));
}

std::string LiveBrowser::Await(const std::string& expression, absl::Duration patience) {
  return Eval(absl::StrCat(
      "new Promise(done => { const end = Date.now() + ", absl::ToInt64Milliseconds(patience),
      "; const look = () => { let v; try { v = (", expression,
      "); } catch (e) { v = ''; if (Date.now() > end) v = 'in vain: ' + e; } "
      "if (v || v === 0) done(v); else if (Date.now() > end) done('in vain: ' + v); "
      "else setTimeout(look, 20); }; look(); })"));
}

void LiveBrowser::Type(const std::string& text) { Call("Input.insertText", {{"text", text}}); }

void LiveBrowser::Press(const std::string& key) {
  static const std::map<std::string, int> kCodes = {
      {"Tab", 9}, {"Enter", 13}, {"Escape", 27}, {" ", 32}};
  for (const char* type : {"keyDown", "keyUp"}) {
    json params = {{"type", type}, {"key", key}, {"windowsVirtualKeyCode", kCodes.at(key)}};
    if (key == "Enter") params["text"] = "\r";
    if (key == " ") params["text"] = " ";
    Call("Input.dispatchKeyEvent", params);
  }
}

void LiveBrowser::Picture(const std::string& path) {
  const std::string data =
      Call("Page.captureScreenshot", {{"format", "png"}, {"captureBeyondViewport", true}})
          .value("data", "");
  std::string bytes;
  absl::Base64Unescape(data, &bytes);
  std::ofstream(path, std::ios::binary) << bytes;
}

std::vector<std::string> LiveBrowser::TakeFaults() { return std::exchange(faults_, {}); }

}  // namespace fpo::testing

#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "nlohmann/json.hpp"

namespace fpo::testing {

// A person at a page that a server serves: headless Chromium, steered over its pipe of the DevTools
// protocol. One page. Not thread-safe.
class LiveBrowser {
 public:
  struct View {
    int width = 1100;
    int height = 1200;
    bool dark = false;
  };
  static bool IsInstalled();

  explicit LiveBrowser(const std::string& folder);  // for its files
  ~LiveBrowser();
  LiveBrowser(const LiveBrowser&) = delete;
  LiveBrowser& operator=(const LiveBrowser&) = delete;

  void Look(const View& view);
  void Open(const std::string& url);  // returns when it is loaded
  // The value of an expression, waited for if it is a promise, as text; "script: ..." if it throws.
  std::string Eval(const std::string& expression);
  // The first value of an expression that is neither empty nor false; at the latest after
  // `patience` what it is then, after the words "in vain: ".
  std::string Await(const std::string& expression, absl::Duration patience = absl::Seconds(30));
  void Type(const std::string& text);     // where the focus is
  void Press(const std::string& key);     // "Tab", "Enter", "Escape", " "
  void Picture(const std::string& path);  // of the whole page, as PNG
  // What the console has said of errors since the last call: exceptions, and what was refused.
  std::vector<std::string> TakeFaults();

 private:
  nlohmann::json Call(const std::string& method, const nlohmann::json& params);
  nlohmann::json Next(absl::Time deadline);  // null: none came
  void Notice(const nlohmann::json& event);

  pid_t pid_ = -1;
  int in_ = -1, out_ = -1;
  int64_t last_id_ = 0;
  bool loaded_ = false;
  std::string session_, buffer_;
  std::vector<std::string> faults_;
};

}  // namespace fpo::testing

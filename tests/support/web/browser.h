#pragma once

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace fpo::testing {

// A page opened from a file in headless Chromium, in a frame of a width, with a script that acts on
// it when it is loaded. Browsers' windows do not get as narrow as phones; frames do.
class Browser {
 public:
  struct View {
    int width = 1100;
    int height = 1400;
    bool dark = false;
  };
  static bool IsInstalled() { return access(kProgram, X_OK) == 0; }

  // `folder`: for its files.
  explicit Browser(std::string folder) : folder_(std::move(folder)) {}

  // What `script` put into document.title, after every error, refused request and message of the
  // page's console in front: "" and nothing else for a page without faults. `name` names what
  // FPO_SCREENSHOT keeps.
  std::string Visit(const std::string& html, const std::string& script, const View& view,
                    const std::string& name) {
    const std::string page = absl::StrCat(folder_, "/", name, ".html");
    const std::string watch =
        "<head><script>window.faults = [];"
        "addEventListener('error', e => faults.push(e.message));"
        "addEventListener('unhandledrejection', e => faults.push(e.reason));"
        "addEventListener('securitypolicyviolation', e => faults.push('asked for ' + "
        "e.blockedURI));"
        "for (const kind of ['error', 'warn']) console[kind] = text => faults.push(text);</script>";
    const std::string act = absl::StrCat(
        "<script>addEventListener('load', () => { let said; try { said = (() => {", script,
        "})() } catch (e) { said = 'script: ' + e.stack; }"
        "parent.postMessage([...faults, said].join('\\n'), '*'); });</script></body>");
    Write(page, absl::StrReplaceAll(html, {{"<head>", watch}, {"</body>", act}}));
    const std::string frame = absl::StrCat(folder_, "/frame.html");
    Write(frame,
          absl::StrCat("<!doctype html><meta name=\"color-scheme\" content=\"light dark\">"
                       "<style>body{margin:0}iframe{border:0;width:",
                       view.width, "px;height:", view.height,
                       "px}</style><pre id=\"said\" hidden></pre><iframe src=\"", name,
                       ".html\"></iframe><script>addEventListener('message', e => {"
                       "document.getElementById('said').textContent = e.data; });</script>"));
    const std::string dom = Run(frame, view, "--dump-dom");
    if (const char* keep = getenv("FPO_SCREENSHOT")) {
      Run(frame, view, absl::StrCat("--screenshot=", keep, ".", name, ".png"));
    }
    const std::string begin = "<pre id=\"said\" hidden=\"\">";
    const size_t at = dom.find(begin);
    if (at == std::string::npos) return absl::StrCat("no answer of the browser: ", dom);
    const size_t from = at + begin.size();
    return dom.substr(from, dom.find("</pre>", from) - from);
  }

 private:
  static constexpr char kProgram[] = "/usr/bin/chromium";

  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }

  std::string Run(const std::string& file, const View& view, const std::string& how) {
    const std::string command = absl::StrCat(
        kProgram, " --headless --no-sandbox --disable-gpu --hide-scrollbars ",
        "--virtual-time-budget=6000 --window-size=", view.width, ",", view.height,
        " --blink-settings=preferredColorScheme=", view.dark ? 0 : 1, " --user-data-dir=", folder_,
        "/browser ", how, " file://", file, " 2>/dev/null");
    std::string out;
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) return out;
    std::array<char, 65536> buffer;
    for (size_t n; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
      out.append(buffer.data(), n);
    }
    pclose(pipe);
    return out;
  }

  const std::string folder_;
};

// A script's beginning: `hover(plot)` and `zoom(plot)` do on a chart what a mouse does, and return
// what the chart then says below itself.
inline constexpr char kChartMouse[] = R"js(
const mouse = (plot, kind, part) => {
  const area = plot.getBoundingClientRect();
  const target = plot.querySelectorAll('canvas')[1] || plot.querySelector('canvas');
  target.dispatchEvent(new MouseEvent(kind, { bubbles: true, cancelable: true, view: window,
    clientX: area.left + 60 + part * (area.width - 70), clientY: area.top + area.height / 2 }));
};
const below = plot => plot.nextElementSibling.innerText;
const hover = (plot, part = 0.5) => { mouse(plot, 'mousemove', part); return below(plot); };
const zoom = plot => {
  mouse(plot, 'mousedown', 0.25); mouse(plot, 'mousemove', 0.5); mouse(plot, 'mouseup', 0.5);
  mouse(plot, 'mouseout', 0.5); return below(plot);
};
const plotOf = title => [...document.querySelectorAll('figure')]
    .find(f => f.querySelector('figcaption').textContent.startsWith(title)).querySelector('.plot');
)js";

}  // namespace fpo::testing

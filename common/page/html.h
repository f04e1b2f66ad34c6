#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace fpo {

// Text made safe for HTML content and attribute values.
std::string EscapeHtml(absl::string_view text);

// A JSON document made safe inside a <script> element: no text in it can end the element, begin a
// comment or break a line. It means the same as before.
std::string JsonForScript(absl::string_view json);

// A number for people: 4 significant digits, SI-like suffixes from 10,000 on ("12.5k", "3.2M").
std::string ShortNumber(double value);
// "94.2 s", "12.5 min", "3.2 h".
std::string ShortTime(double seconds);

// A horizontal bar of parts with a legend; `unit` as in "75.0 s". Empty without a part above 0.
std::string PartsBar(const std::vector<std::pair<std::string, double>>& parts,
                     const std::string& unit);

// Rows of cells, the first row and the first column being headers; escaped here.
std::string HtmlTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace fpo

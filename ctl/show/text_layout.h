#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fpo::ctl {

// The capabilities of the output.
struct TextStyle {
  int columns = 0;       // of the terminal; 0: unlimited (a pipe or a file)
  bool unicode = false;  // a UTF-8 locale
  bool color = false;    // a terminal without NO_COLOR
  absl::TimeZone zone = absl::UTCTimeZone();
};

// Terminal columns of UTF-8 text: wide characters count two, combining ones none, broken bytes one.
int DisplayWidth(absl::string_view text);

// One printable line: control characters and line breaks become spaces, broken bytes '?'.
std::string OneLine(absl::string_view text);
// The same for output that a program reads: tabs stay.
std::string PipedLine(absl::string_view text);

// At most `columns` wide; what is cut off ends in "…" ("..." without unicode).
std::string FitWidth(absl::string_view text, int columns, bool unicode);

// Spaces up to `columns`.
std::string PadRight(absl::string_view text, int columns);

// A bar of `columns` for `fraction` of 0 to 1, in block characters, or "####----" without unicode.
std::string Bar(double fraction, int columns, bool unicode);

// The word in the colour of a job's or worker's state; unchanged without colour.
std::string ColoredState(absl::string_view padded, absl::string_view state, const TextStyle& style);

// Left-aligned columns two spaces apart under a header. Empty cells are "-". With limited columns
// the widest shrinkable columns are cut; on a pipe nothing is.
struct Table {
  std::vector<std::string> header = {};
  std::vector<std::vector<std::string>> rows = {};
  std::vector<int> shrinkable = {};  // column numbers, the first to be cut first
  int state_column = -1;             // coloured by its own text
};
std::string RenderTable(const Table& table, const TextStyle& style);

}  // namespace fpo::ctl

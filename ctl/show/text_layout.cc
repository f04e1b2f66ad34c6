#include "ctl/show/text_layout.h"

#include <utf8proc.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/text/utf8.h"

namespace fpo::ctl {
namespace {

constexpr int kColumnMin = 8;  // a cut column keeps this much

struct Glyph {
  absl::string_view bytes;
  uint32_t point = 0;
  bool valid = false;
  int width = 1;
};

// Marks that change the order in which the text after them is shown, or that hide in it: a name
// could look like another one.
bool IsReordering(uint32_t point) {
  return point == 0x061C || point == 0x200E || point == 0x200F ||
         (point >= 0x202A && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069) ||
         point == 0x2028 || point == 0x2029;
}

// utf8proc gives control characters no column; OneLine makes each of them a space.
int ColumnsOf(int32_t point) {
  const bool control = point < 0x20 || (point >= 0x7F && point < 0xA0);
  return control || IsReordering(static_cast<uint32_t>(point)) ? 1 : utf8proc_charwidth(point);
}

// The first character of non-empty text; a broken byte is a glyph of its own.
Glyph FirstGlyph(absl::string_view text) {
  size_t end = 0;
  const int32_t point = NextCodePoint(text, &end);
  if (point < 0) return {text.substr(0, 1)};
  return {text.substr(0, end), static_cast<uint32_t>(point), true, ColumnsOf(point)};
}

// With a space for each control character that is not to be kept.
std::string WithoutControls(absl::string_view text, absl::string_view kept) {
  std::string line;
  while (!text.empty()) {
    const Glyph glyph = FirstGlyph(text);
    const bool control = (glyph.point < 0x20 || (glyph.point >= 0x7F && glyph.point < 0xA0)) &&
                         !absl::StrContains(kept, glyph.bytes);
    if (!glyph.valid) {
      line += '?';
    } else if (control || IsReordering(glyph.point)) {
      line += ' ';
    } else {
      absl::StrAppend(&line, glyph.bytes);
    }
    text.remove_prefix(glyph.bytes.size());
  }
  return line;
}

const char* ColorOf(absl::string_view state) {
  if (state == "SUCCEEDED" || state == "ready" || state == "SERVING") return "\x1b[32m";
  if (state == "FAILED" || state == "lost" || state == "NOT_SERVING") return "\x1b[31m";
  if (state == "RUNNING") return "\x1b[36m";
  if (state == "RECOVERING" || state == "CANCELLING" || state == "CANCELLED") return "\x1b[33m";
  return "";
}

std::vector<int> ColumnWidths(const std::vector<std::vector<std::string>>& cells) {
  std::vector<int> widths(cells[0].size(), 0);
  for (const auto& row : cells) {
    for (size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(row[i]));
    }
  }
  return widths;
}

void Shrink(const Table& table, int columns, std::vector<int>* widths) {
  int excess = -columns - 2;
  for (const int width : *widths) excess += width + 2;
  for (const int column : table.shrinkable) {
    const int cut = std::clamp(excess, 0, std::max(0, (*widths)[column] - kColumnMin));
    (*widths)[column] -= cut;
    excess -= cut;
  }
}

}  // namespace

int DisplayWidth(absl::string_view text) {
  int width = 0;
  while (!text.empty()) {
    const Glyph glyph = FirstGlyph(text);
    width += glyph.width;
    text.remove_prefix(glyph.bytes.size());
  }
  return width;
}

std::string OneLine(absl::string_view text) { return WithoutControls(text, ""); }
std::string PipedLine(absl::string_view text) { return WithoutControls(text, "\t"); }

std::string FitWidth(absl::string_view text, int columns, bool unicode) {
  if (DisplayWidth(text) <= columns) return std::string(text);
  const absl::string_view mark = unicode ? "…" : "...";
  const int room = columns - DisplayWidth(mark);
  if (room < 0) return std::string(std::max(columns, 0), '.');
  std::string fitted;
  int width = 0;
  while (!text.empty()) {
    const Glyph glyph = FirstGlyph(text);
    if (width + glyph.width > room) break;
    width += glyph.width;
    absl::StrAppend(&fitted, glyph.bytes);
    text.remove_prefix(glyph.bytes.size());
  }
  return absl::StrCat(fitted, mark);
}

std::string PadRight(absl::string_view text, int columns) {
  const int missing = std::max(0, columns - DisplayWidth(text));
  return absl::StrCat(text, std::string(missing, ' '));
}

std::string Bar(double fraction, int columns, bool unicode) {
  fraction = std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0.0;
  const int full = static_cast<int>(fraction * columns);
  std::string bar;
  for (int i = 0; i < columns; ++i) {
    bar += unicode ? (i < full ? "█" : "░") : (i < full ? "#" : "-");
  }
  return bar;
}

std::string ColoredState(absl::string_view padded, absl::string_view state,
                         const TextStyle& style) {
  const absl::string_view color = style.color ? ColorOf(state) : "";
  return color.empty() ? std::string(padded) : absl::StrCat(color, padded, "\x1b[0m");
}

std::string RenderTable(const Table& table, const TextStyle& style) {
  std::vector<std::vector<std::string>> cells = {table.header};
  for (const auto& row : table.rows) {
    std::vector<std::string>& line = cells.emplace_back();
    for (const std::string& cell : row) line.push_back(cell.empty() ? "-" : OneLine(cell));
  }
  std::vector<int> widths = ColumnWidths(cells);
  if (style.columns > 0) Shrink(table, style.columns, &widths);
  std::string text;
  for (size_t r = 0; r < cells.size(); ++r) {
    const std::vector<std::string>& row = cells[r];
    for (size_t i = 0; i < row.size(); ++i) {
      const bool last = i + 1 == row.size();
      const std::string cell = FitWidth(row[i], widths[i], style.unicode);
      const std::string padded = last ? cell : PadRight(cell, widths[i] + 2);
      const bool is_state = r > 0 && static_cast<int>(i) == table.state_column;
      text += is_state ? ColoredState(padded, row[i], style) : padded;
    }
    text += '\n';
  }
  return text;
}

}  // namespace fpo::ctl

#include "ctl/show/text_layout.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace fpo::ctl {
namespace {

constexpr int kColumnMin = 8;  // a cut column keeps this much

struct Range {
  uint32_t first;
  uint32_t last;
};

// Unicode 14: the blocks that terminals draw in two columns, and the marks that take none.
constexpr Range kWide[] = {
    {0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0x33FF},   {0x3400, 0x4DBF},
    {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},
    {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F},
    {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD},
};
constexpr Range kZeroWidth[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x064B, 0x065F},
    {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F},
};

template <size_t N>
bool IsIn(const Range (&ranges)[N], uint32_t point) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [point](const Range& r) { return r.first <= point && point <= r.last; });
}

struct Glyph {
  absl::string_view bytes;
  uint32_t point = 0;
  bool valid = false;
  int width = 1;
};

int LengthByLeadByte(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF5) return 4;
  return 0;
}

// The first character of non-empty text; a broken byte is a glyph of its own.
Glyph FirstGlyph(absl::string_view text) {
  Glyph glyph{text.substr(0, 1)};
  const auto lead = static_cast<unsigned char>(text[0]);
  const int length = LengthByLeadByte(lead);
  if (length == 0 || static_cast<size_t>(length) > text.size()) return glyph;
  uint32_t point = length == 1 ? lead : lead & (0x7Fu >> length);
  for (int i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0) != 0x80) return glyph;
    point = point << 6 | (next & 0x3Fu);
  }
  glyph.bytes = text.substr(0, length);
  glyph.point = point;
  glyph.valid = true;
  glyph.width = IsIn(kZeroWidth, point) ? 0 : IsIn(kWide, point) ? 2 : 1;
  return glyph;
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

std::string OneLine(absl::string_view text) {
  std::string line;
  while (!text.empty()) {
    const Glyph glyph = FirstGlyph(text);
    const bool control = glyph.point < 0x20 || (glyph.point >= 0x7F && glyph.point < 0xA0);
    if (!glyph.valid) {
      line += '?';
    } else if (control) {
      line += ' ';
    } else {
      absl::StrAppend(&line, glyph.bytes);
    }
    text.remove_prefix(glyph.bytes.size());
  }
  return line;
}

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

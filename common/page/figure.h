#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/page/curve.h"

namespace fpo {

inline constexpr int kFigureColours = 12;  // of the style

// One curve, or one cloud of points, of a figure.
struct FigureSeries {
  enum class Style { kLine, kDashed, kMarked, kPoints };  // kMarked: a line with a dot per point

  std::string label;
  CurvePoints points = {};
  CurvePoints mean = {};  // a moving average: drawn on top, the points then faint
  Style style = Style::kLine;
  int colour = 0;           // below kFigureColours
  int run = 0;              // of the page's runs, which a reader can hide; -1: none
  std::string metric = {};  // its name in metrics.jsonl, where x is a step; "" otherwise
};

struct Figure {
  std::string title;
  std::string note = {};  // one line below the title
  std::string unit = {};  // of y: "nats"
  std::string x_label = "step";
  std::vector<FigureSeries> series = {};
  bool from_zero = false;                // the value axis begins at 0
  std::optional<double> reference = {};  // a dashed horizontal line, e.g. ln 2
  bool is_wide = false;                  // takes the whole width of the page
};

// The figure's element: its caption, a place where the page's script draws it, and its numbers as a
// table, which is all that a reader without JavaScript sees. `index`: its place in FiguresJson.
std::string FigureHtml(const Figure& figure, size_t index);

// What the script draws, as JSON: {"xs": [[...]], "figures": [{...}]}; a series names its x values
// by their place in xs, which many series share. At most five significant digits of y.
std::string FiguresJson(const std::vector<Figure>& figures);

}  // namespace fpo

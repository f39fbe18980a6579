// Charts as SVG with words in HTML around it: lines stretch with the page, letters do not.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace devicetrust::simulator {

// As text of an element or of a quoted attribute. What is no UTF-8 or a control character becomes
// U+FFFD; longer than `bytes_max` it is cut.
std::string HtmlText(std::string_view text, std::size_t bytes_max = 400);

struct ChartLine {
  std::string name;
  std::vector<std::pair<double, double>> points;  // Ascending by x.
  bool dashed = false;
  bool area = false;  // Filled down to the bottom.
};

// A part of the x axis that had something special.
struct ChartBand {
  std::string name;
  double begin = 0;
  double end = 0;  // The begin itself: one moment.
};

struct Chart {
  std::string title;
  std::string note;  // Below the title; may be empty.
  std::vector<ChartLine> lines;
  std::vector<ChartBand> bands;
  double x_max = 1;
  std::vector<std::pair<double, std::string>> x_ticks;
  bool logarithmic = false;
  std::function<std::string(double)> y_text;  // Of a value.
  // What a pointer over [x, x + width) is told; may be empty.
  struct Hint {
    double x = 0;
    double width = 0;
    std::string text;
  };
  std::vector<Hint> hints;
};

// A <figure>; empty when there is no point to show.
std::string ChartHtml(const Chart& chart);

// "0 s", "30 s", … for a run of so many seconds.
std::vector<std::pair<double, std::string>> TimeTicks(double seconds);

}  // namespace devicetrust::simulator

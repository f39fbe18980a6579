#include "simulator/report/html_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>

namespace devicetrust::simulator {
namespace {

constexpr double kSide = 1000;  // Of the drawing, which is stretched.
constexpr int kColours = 8;

// The bytes of the character that begins at `at`; 0: it is none.
std::size_t CharacterAt(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || at + size > text.size()) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
  }
  const unsigned char second = byte(at + 1);
  const bool longer_than_needed =
      (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool beyond = (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);
  return longer_than_needed || beyond ? 0 : size;
}

struct Scale {
  double low = 0;
  double high = 1;
  bool logarithmic = false;

  // From 0, the bottom, to 1.
  double Place(double value) const {
    if (logarithmic) {
      return std::clamp(std::log(std::max(value, low) / low) / std::log(high / low), 0.0, 1.0);
    }
    return std::clamp((value - low) / (high - low), 0.0, 1.0);
  }
};

// 1, 2 or 5 times a power of ten.
double RoundStep(double least) {
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double times : {1.0, 2.0, 5.0}) {
    if (times * power >= least * 0.999) return times * power;
  }
  return 10 * power;
}

struct Axis {
  Scale scale;
  std::vector<double> ticks;
};

Axis LogarithmicAxis(double low, double high) {
  Axis axis;
  axis.scale = {std::pow(10, std::floor(std::log10(low))),
                std::pow(10, std::ceil(std::log10(high))), true};
  if (axis.scale.high <= axis.scale.low) axis.scale.high = axis.scale.low * 10;
  const bool few = axis.scale.high / axis.scale.low < 150;
  for (double power = axis.scale.low; power <= axis.scale.high * 1.001; power *= 10) {
    axis.ticks.push_back(power);
    if (!few || power >= axis.scale.high * 0.999) continue;
    axis.ticks.push_back(2 * power);
    axis.ticks.push_back(5 * power);
  }
  return axis;
}

Axis LinearAxis(double high) {
  Axis axis;
  const double step = RoundStep(std::max(high, 1e-9) / 4);
  axis.scale = {0, step * std::max(1.0, std::ceil(high / step * 0.999)), false};
  for (int i = 0; i * step <= axis.scale.high * 1.001; ++i) axis.ticks.push_back(i * step);
  return axis;
}

std::optional<Axis> AxisOf(const Chart& chart) {
  double low = 0;
  double high = 0;
  bool any = false;
  for (const ChartLine& line : chart.lines) {
    for (const auto& [x, y] : line.points) {
      if (chart.logarithmic && y <= 0) continue;
      low = any ? std::min(low, y) : y;
      high = any ? std::max(high, y) : y;
      any = true;
    }
  }
  if (!any) return std::nullopt;
  return chart.logarithmic ? LogarithmicAxis(low, high) : LinearAxis(high);
}

std::string Path(const ChartLine& line, double x_max, const Scale& scale) {
  std::string path;
  const auto x_of = [&](double x) { return std::clamp(x / x_max, 0.0, 1.0) * kSide; };
  for (const auto& [x, y] : line.points) {
    path += fmt::format("{}{:.0f} {:.0f}", path.empty() ? 'M' : 'L', x_of(x),
                        (1 - scale.Place(y)) * kSide);
  }
  // One point alone is a dash, which is seen.
  if (line.points.size() == 1) path += "m-6 0h12";
  if (line.area && !line.points.empty()) {
    path += fmt::format("L{:.0f} 1000L{:.0f} 1000Z", x_of(line.points.back().first),
                        x_of(line.points.front().first));
  }
  return path;
}

std::string Drawing(const Chart& chart, const Axis& axis) {
  std::string svg =
      R"(<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">)";
  for (const ChartBand& band : chart.bands) {
    const double begin = std::clamp(band.begin / chart.x_max, 0.0, 1.0) * kSide;
    const double end = std::clamp(band.end / chart.x_max, 0.0, 1.0) * kSide;
    svg += fmt::format(R"(<rect class="band" x="{:.1f}" y="0" width="{:.1f}" height="1000"/>)",
                       begin, std::max(2.0, end - begin));
  }
  for (const double tick : axis.ticks) {
    const double y = (1 - axis.scale.Place(tick)) * kSide;
    svg += fmt::format(R"(<path class="grid" d="M0 {0:.0f}H1000"/>)", y);
  }
  for (std::size_t i = 0; i < chart.lines.size(); ++i) {
    const ChartLine& line = chart.lines[i];
    svg += fmt::format(R"(<path class="line c{}{}{}" d="{}"/>)", i % kColours,
                       line.dashed ? " dashed" : "", line.area ? " area" : "",
                       Path(line, chart.x_max, axis.scale));
  }
  for (const Chart::Hint& hint : chart.hints) {
    svg += fmt::format(
        R"(<rect class="hint" x="{:.1f}" y="0" width="{:.1f}" height="1000"><title>{})"
        R"(</title></rect>)",
        hint.x / chart.x_max * kSide, hint.width / chart.x_max * kSide, HtmlText(hint.text));
  }
  return svg + "</svg>";
}

// A word at the place of the axis that it names; those at the ends stay inside.
std::string XLabels(const Chart& chart) {
  std::string html;
  for (std::size_t i = 0; i < chart.x_ticks.size(); ++i) {
    const auto& [x, text] = chart.x_ticks[i];
    const double place = std::clamp(x / chart.x_max, 0.0, 1.0);
    const char* const end = place < 0.02 ? " first" : place > 0.96 ? " last" : "";
    html += fmt::format(R"(<span class="x{}{}" style="left:{:.2f}%">{}</span>)", end,
                        i % 2 == 1 ? " odd" : "", place * 100, HtmlText(text));
  }
  return html;
}

std::string Legend(const Chart& chart) {
  if (chart.lines.size() < 2 && chart.bands.empty()) return {};
  std::string html = R"(<ul class="legend">)";
  for (std::size_t i = 0; i < chart.lines.size(); ++i) {
    html += fmt::format(R"(<li><i class="c{}{}"></i>{}</li>)", i % kColours,
                        chart.lines[i].dashed ? " dashed" : "", HtmlText(chart.lines[i].name));
  }
  if (!chart.bands.empty()) html += R"(<li><i class="band"></i>fault or change</li>)";
  return html + "</ul>";
}

}  // namespace

std::string HtmlText(std::string_view text, std::size_t bytes_max) {
  std::string html;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = CharacterAt(text, at);
    if (at + std::max<std::size_t>(size, 1) > bytes_max) return html + "…";
    const char c = text[at];
    const bool control =
        (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
    if (size == 0 || control) {
      html += "\xEF\xBF\xBD";
    } else if (c == '&') {
      html += "&amp;";
    } else if (c == '<') {
      html += "&lt;";
    } else if (c == '>') {
      html += "&gt;";
    } else if (c == '"') {
      html += "&quot;";
    } else if (c == '\'') {
      html += "&#39;";
    } else {
      html += text.substr(at, size);
    }
    at += std::max<std::size_t>(size, 1);
  }
  return html;
}

std::string ChartHtml(const Chart& chart) {
  const std::optional<Axis> axis = AxisOf(chart);
  if (!axis.has_value()) return {};
  std::string html = fmt::format(
      "<figure><figcaption><b>{}</b>{}</figcaption>{}", HtmlText(chart.title),
      chart.note.empty() ? "" : " <span>" + HtmlText(chart.note) + "</span>", Legend(chart));
  html += R"(<div class="plot"><div class="ys">)";
  for (const double tick : axis->ticks) {
    html += fmt::format(R"(<span style="bottom:{:.2f}%">{}</span>)", axis->scale.Place(tick) * 100,
                        HtmlText(chart.y_text(tick)));
  }
  return html + R"(</div><div class="area">)" + Drawing(chart, *axis) +
         R"(</div><div class="xs">)" + XLabels(chart) + "</div></div></figure>";
}

std::vector<std::pair<double, std::string>> TimeTicks(double seconds) {
  // Of ten, what gives six marks or fewer.
  constexpr std::array<double, 14> kSteps = {1,   2,   5,   10,   15,   30,    60,
                                             120, 300, 600, 1800, 3600, 10800, 21600};
  double step = kSteps.back();
  for (auto each = kSteps.rbegin(); each != kSteps.rend() && seconds / *each <= 6.5; ++each) {
    step = *each;
  }
  std::vector<std::pair<double, std::string>> ticks;
  for (double at = 0; at <= seconds * 1.0001 && ticks.size() < 32; at += step) {
    const auto whole = static_cast<std::int64_t>(at);
    ticks.emplace_back(at, step < 60     ? fmt::format("{} s", whole)
                           : step < 3600 ? fmt::format("{} min", whole / 60)
                                         : fmt::format("{} h", whole / 3600));
  }
  return ticks;
}

}  // namespace devicetrust::simulator

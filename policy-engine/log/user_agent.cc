#include "policy-engine/log/user_agent.h"

#include <algorithm>
#include <array>

#include "libs/base/ascii.h"

namespace devicetrust::policy {
namespace {

constexpr std::size_t kUserAgentBytesParsed = 512;
constexpr std::size_t kProductBytesMax = 40;

struct Product {
  std::string_view mark;  // What stands before the version.
  std::string_view name;
};

// A browser names those that it resembles too, so the most special come first.
constexpr std::array kProducts = {
    Product{"Edg/", "Edge"},
    Product{"EdgA/", "Edge"},
    Product{"EdgiOS/", "Edge"},
    Product{"Edge/", "Edge"},
    Product{"OPR/", "Opera"},
    Product{"OPiOS/", "Opera"},
    Product{"SamsungBrowser/", "Samsung Internet"},
    Product{"Vivaldi/", "Vivaldi"},
    Product{"Firefox/", "Firefox"},
    Product{"FxiOS/", "Firefox"},
    Product{"CriOS/", "Chrome"},
    Product{"HeadlessChrome/", "Chrome"},
    Product{"Chrome/", "Chrome"},
    Product{"Chromium/", "Chrome"},
    Product{"Trident/", "Internet Explorer"},
    Product{"MSIE ", "Internet Explorer"},
};

std::string_view DigitsAt(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && IsDigit(text[end])) ++end;
  return text.substr(0, std::min<std::size_t>(end, 8));
}

bool Has(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

// Of "curl/8.5.0", "device-trust-agent/1.0 (…)".
void ReadProgram(std::string_view text, UserAgent& out) {
  std::size_t end = 0;
  while (end < text.size() && IsVisible(text[end]) && text[end] != '/') ++end;
  if (end == 0 || end > kProductBytesMax) return;
  const std::string_view name = text.substr(0, end);
  if (name == "Mozilla") return;
  out.browser = name;
  if (end < text.size() && text[end] == '/') out.version = DigitsAt(text.substr(end + 1));
}

void ReadBrowser(std::string_view text, UserAgent& out) {
  for (const Product& product : kProducts) {
    const std::size_t at = text.find(product.mark);
    if (at == std::string_view::npos) continue;
    out.browser = product.name;
    out.version = DigitsAt(text.substr(at + product.mark.size()));
    if (product.mark == "Trident/") {  // Which is 7 of the browser 11.
      const std::size_t revision = text.find("rv:");
      out.version = revision == std::string_view::npos ? std::string_view()
                                                       : DigitsAt(text.substr(revision + 3));
    }
    return;
  }
  if (Has(text, "Safari/") && Has(text, "Version/")) {
    out.browser = "Safari";
    out.version = DigitsAt(text.substr(text.find("Version/") + 8));
    return;
  }
  ReadProgram(text, out);
}

void ReadSystem(std::string_view text, UserAgent& out) {
  constexpr std::string_view kComputer = "Computer";
  constexpr std::string_view kMobile = "Mobile";
  constexpr std::string_view kTablet = "Tablet";
  if (Has(text, "Windows Phone")) {
    out.os = "Windows Phone";
    out.device = kMobile;
  } else if (Has(text, "iPad")) {
    out.os = "iPadOS";
    out.device = kTablet;
  } else if (Has(text, "iPhone") || Has(text, "iPod")) {
    out.os = "iOS";
    out.device = kMobile;
  } else if (Has(text, "Android")) {
    out.os = "Android";
    out.device = Has(text, "Mobile") && !Has(text, "Tablet") ? kMobile : kTablet;
  } else if (Has(text, "Windows")) {
    out.os = "Windows";
    out.device = kComputer;
  } else if (Has(text, "CrOS")) {
    out.os = "ChromeOS";
    out.device = kComputer;
  } else if (Has(text, "Macintosh") || Has(text, "Mac OS X")) {
    out.os = "macOS";
    out.device = kComputer;
  } else if (Has(text, "Linux") || Has(text, "X11")) {
    out.os = "Linux";
    out.device = kComputer;
  }
}

}  // namespace

UserAgent ParseUserAgent(std::string_view text) {
  text = text.substr(0, kUserAgentBytesParsed);
  UserAgent out;
  ReadBrowser(text, out);
  ReadSystem(text, out);
  return out;
}

}  // namespace devicetrust::policy

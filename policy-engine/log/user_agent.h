// What a User-Agent header says of who sent it, for people who read the System Log. A claim and no
// more; decisions read it in rules/platform_evidence.h.
#pragma once

#include <string>
#include <string_view>

namespace devicetrust::policy {

struct UserAgent {
  std::string
      browser;  // "Chrome", "Firefox", "Safari"; of a program its first word. Empty: unknown.
  std::string version;      // The major one, digits; empty: unknown.
  std::string_view os;      // "Windows", "macOS", "iOS", "iPadOS", "Android", "ChromeOS", "Linux"
  std::string_view device;  // "Computer", "Mobile", "Tablet"
};

// Total: any bytes give an answer. Reads the first 512 of them.
UserAgent ParseUserAgent(std::string_view text);

}  // namespace devicetrust::policy

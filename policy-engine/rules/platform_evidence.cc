#include "policy-engine/rules/platform_evidence.h"

#include <array>
#include <cstdint>

#include "libs/base/ascii.h"

namespace devicetrust::policy {
namespace {

// What a word is evidence for. A phone platform's name counts over the desktop platforms
// that such browsers claim for compatibility.
enum Evidence : std::uint8_t {
  kNone = 0,
  kWindowsWord = 1 << 0,
  kMacosWord = 1 << 1,
  kDesktopWord = 1 << 2,
  kIosWord = 1 << 3,
  kAndroidWord = 1 << 4,
  kMobileWord = 1 << 5,
  kHandheldWord = 1 << 6,  // Of a telephone or a tablet, of whichever platform.
};

struct Word {
  std::string_view text;  // Lower case.
  Evidence evidence;
};

constexpr std::array kWords = {
    Word{"android", kAndroidWord},
    Word{"bada", kMobileWord},
    Word{"bb10", kMobileWord},
    Word{"blackberry", kMobileWord},
    Word{"crios", kIosWord},
    Word{"cros", kDesktopWord},
    Word{"edgios", kIosWord},
    Word{"freebsd", kDesktopWord},
    Word{"fxios", kIosWord},
    Word{"iemobile", kMobileWord},
    Word{"ios", kIosWord},
    Word{"ipad", kIosWord},
    Word{"ipados", kIosWord},
    Word{"iphone", kIosWord},
    Word{"ipod", kIosWord},
    Word{"j2me", kMobileWord},
    Word{"kaios", kMobileWord},
    Word{"linux", kDesktopWord},
    Word{"mac", kMacosWord},
    Word{"macintosh", kMacosWord},
    Word{"macos", kMacosWord},
    Word{"mobile", kHandheldWord},
    Word{"netbsd", kDesktopWord},
    Word{"openbsd", kDesktopWord},
    Word{"opios", kIosWord},
    Word{"playbook", kMobileWord},
    Word{"rimtabletos", kMobileWord},
    Word{"sunos", kDesktopWord},
    Word{"symbian", kMobileWord},
    Word{"symbianos", kMobileWord},
    Word{"symbos", kMobileWord},
    Word{"tizen", kMobileWord},
    Word{"web0s", kMobileWord},
    Word{"webos", kMobileWord},
    Word{"win32", kWindowsWord},
    Word{"win64", kWindowsWord},
    Word{"windows", kWindowsWord},
    Word{"x11", kDesktopWord},
};

Evidence EvidenceOf(std::string_view word) {
  const char first = ToLower(word.front());
  for (const Word& known : kWords) {
    if (known.text.front() == first && EqualIgnoringCase(word, known.text)) return known.evidence;
  }
  return kNone;
}

Platform Judge(unsigned evidence) {
  if ((evidence & kMobileWord) != 0) return Platform::kOtherMobile;
  const unsigned desktops = evidence & (kWindowsWord | kMacosWord | kDesktopWord);
  switch (evidence & (kIosWord | kAndroidWord)) {
    case kIosWord:  // "CPU iPhone OS 17_0 like Mac OS X".
      return (desktops & ~unsigned{kMacosWord}) == 0 ? Platform::kIos : Platform::kUnknown;
    case kAndroidWord:  // "Linux; Android 14".
      return (desktops & ~unsigned{kDesktopWord}) == 0 ? Platform::kAndroid : Platform::kUnknown;
    case kIosWord | kAndroidWord:
      return Platform::kUnknown;
    default:
      break;
  }
  switch (desktops) {
    case kWindowsWord:
      return Platform::kWindows;
    case kMacosWord:  // No Mac is handheld: an iPad that asks for desktop pages.
      return (evidence & kHandheldWord) != 0 ? Platform::kIos : Platform::kMacos;
    case kDesktopWord:
      return Platform::kOtherDesktop;
    default:
      return Platform::kUnknown;
  }
}

}  // namespace

Platform PlatformFromUserAgent(std::string_view user_agent) {
  user_agent = user_agent.substr(0, kUserAgentBytesRead);
  unsigned evidence = 0;
  std::string_view previous;
  bool previous_was_windows = false;
  for (std::size_t i = 0; i < user_agent.size();) {
    if (!IsAlnum(user_agent[i])) {
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    while (end < user_agent.size() && IsAlnum(user_agent[end])) ++end;
    const std::string_view word = user_agent.substr(i, end - i);
    // "like Mac OS X", "like iPhone": says what it is not.
    const Evidence found = EqualIgnoringCase(previous, "like") ? kNone : EvidenceOf(word);
    evidence |= found;
    if (previous_was_windows && EqualIgnoringCase(word, "phone")) evidence |= kMobileWord;
    previous_was_windows = EqualIgnoringCase(word, "windows");
    previous = word;
    i = end;
  }
  return Judge(evidence);
}

std::optional<Platform> PlatformFromDirectory(std::string_view operating_system) {
  struct Known {
    std::string_view prefix;
    Platform platform;
  };
  static constexpr Known kKnown[] = {
      {"Windows", Platform::kWindows},
      {"macOS", Platform::kMacos},
      {"Mac OS X", Platform::kMacos},
      {"OS X", Platform::kMacos},
      {"Linux", Platform::kOtherDesktop},
      {"Ubuntu", Platform::kOtherDesktop},
      {"Debian", Platform::kOtherDesktop},
      {"Red Hat", Platform::kOtherDesktop},
      {"Samba", Platform::kOtherDesktop},
      {"pc-linux-gnu", Platform::kOtherDesktop},
      {"redhat-linux-gnu", Platform::kOtherDesktop},
  };
  for (const Known& known : kKnown) {
    if (operating_system.starts_with(known.prefix)) return known.platform;
  }
  return std::nullopt;
}

}  // namespace devicetrust::policy

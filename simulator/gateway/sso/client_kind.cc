#include "simulator/gateway/sso/client_kind.h"

#include <algorithm>
#include <array>

#include "libs/base/ascii.h"

namespace devicetrust::gateway {
namespace {

constexpr std::size_t kBytesRead = 512;

// Products of mail clients with basic authentication, as they begin.
constexpr std::array<std::string_view, 9> kLegacyProducts = {
    "apple-ipad",  "apple-iphone",        "apple-ipod",
    "android-eas", "android-mail",        "microsoft-server-activesync",
    "msft-wp",     "outlook-ios-android", "touchdown",
};
// Words that windows of apps add to a browser's user agent.
constexpr std::array<std::string_view, 9> kModernWords = {
    "adal",        "microsoft office", "microsoft outlook", "microsoft.aad.brokerplugin",
    "msal",        "msapphost",        "msoidcrl",          "pkeyauth",
    "webview/3.0",
};

// Whether `word` stands in `text` with no letter or digit beside it.
bool HasWord(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !IsAlnum(text[at - 1])) && (end == text.size() || !IsAlnum(text[end]))) {
      return true;
    }
  }
  return false;
}

}  // namespace

org::v1::ClientKind ClientKindOf(std::string_view user_agent) {
  const std::string agent = LowerCase(user_agent.substr(0, kBytesRead));
  if (std::ranges::any_of(kLegacyProducts, [&agent](std::string_view product) {
        return agent.starts_with(product);
      })) {
    return org::v1::CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY;
  }
  if (std::ranges::any_of(kModernWords,
                          [&agent](std::string_view word) { return HasWord(agent, word); })) {
    return org::v1::CLIENT_KIND_MODERN_AUTH;
  }
  return agent.starts_with("mozilla/") ? org::v1::CLIENT_KIND_WEB_BROWSER
                                       : org::v1::CLIENT_KIND_UNSPECIFIED;
}

}  // namespace devicetrust::gateway

#include "policy-engine/rules/conditions.h"

namespace devicetrust::policy {

std::string_view Name(Platform platform) {
  switch (platform) {
    case Platform::kIos:
      return "iOS";
    case Platform::kAndroid:
      return "Android";
    case Platform::kOtherMobile:
      return "other mobile";
    case Platform::kWindows:
      return "Windows";
    case Platform::kMacos:
      return "macOS";
    case Platform::kOtherDesktop:
      return "other desktop";
    case Platform::kUnknown:
      break;
  }
  return "unknown";
}

std::string_view Name(ClientKind client) {
  switch (client) {
    case ClientKind::kWebBrowser:
      return "web browser";
    case ClientKind::kModernAuth:
      return "modern auth";
    case ClientKind::kLegacyAuth:
      return "Exchange ActiveSync or legacy auth";
    case ClientKind::kUnknown:
      break;
  }
  return "unknown";
}

std::string_view Name(Trust trust) {
  switch (trust) {
    case Trust::kTrusted:
      return "trusted";
    case Trust::kNotTrusted:
      return "not trusted";
    case Trust::kNotEvaluated:
      break;
  }
  return "not evaluated";
}

}  // namespace devicetrust::policy

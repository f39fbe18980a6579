#pragma once

#include "devicetrust/org/v1/apps.pb.h"
#include "libs/base/status.h"

namespace devicetrust::policy {

inline constexpr int kAcsPerAppMax = 64;
// A stranger's signed request makes a gateway try them all (saml::kSigningKeysMax).
inline constexpr int kSigningCertificatesMax = 4;
inline constexpr int kReplyUrlsPerAppMax = 64;
inline constexpr int kClaimsPerAppMax = 64;
inline constexpr int kEncryptionMethodsMax = 20;
inline constexpr int kLogoutServicesMax = 10;
inline constexpr int kAttributesPerAppMax = 64;

// Checks what is registered of an app, rules aside. kInvalidArgument, MALFORMED_REQUEST: the
// subject names the field.
absl::Status ValidateApp(const org::v1::App& app);

}  // namespace devicetrust::policy

// What a service provider knows of its identity provider: SAML 2.0 metadata.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"
#include "libs/pki/key.h"

namespace devicetrust::simulator {

struct IdpMetadata {
  std::string entity_id;
  std::string redirect_url;  // SingleSignOnService of HTTP-Redirect; empty when it has none.
  std::string post_url;      // The same of HTTP-POST.
  std::vector<pki::PublicKey> signing_keys;
};

// Reads one EntityDescriptor with an IDPSSODescriptor. kInvalidArgument: another document, no
// entity id, no single sign-on address, no signing key, or one that is no certificate.
absl::StatusOr<IdpMetadata> ParseIdpMetadata(std::string_view xml);

}  // namespace devicetrust::simulator

// Federation metadata, in and out (WS-Federation 1.2, section 3).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "devicetrust/org/v1/apps.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"

namespace devicetrust::wsfed {

inline constexpr std::size_t kMetadataBytesMax = 1024 * 1024;

// A relying party as its metadata describes it.
struct RelyingPartyMetadata {
  org::v1::WsFedRelyingParty party;  // Realm and reply URLs: what PutApp wants.
  std::string display_name;          // The role's ServiceDisplayName, in one line; empty: none.
};

// Reads a relying party's EntityDescriptor, in UTF-8 or UTF-16.
//
// The realm is the role's first TargetScope, else the entityID; reply URLs are the
// PassiveRequestorEndpoints in their order. A signature of the file is not looked at: who registers
// it vouches for it.
//
// kInvalidArgument, saying what to add: no XML, no EntityDescriptor with a RoleDescriptor of the
// type ApplicationServiceType, a validUntil before `now`, no PassiveRequestorEndpoint, one that is
// neither https nor http on loopback.
absl::StatusOr<RelyingPartyMetadata> ParseRelyingParty(std::string_view metadata, WallTime now);

struct ServiceDescription {
  std::string entity_id;                               // The issuer of tokens.
  std::string passive_url;                             // For browsers.
  std::string active_url;                              // For WS-Trust.
  std::string name;                                    // Of the organization.
  std::vector<pki::Certificate> signing_certificates;  // Newest first.
};

// Ours, signed by `signer`. The same text for the same arguments.
// kFailedPrecondition when the key is not RSA.
absl::StatusOr<std::string> BuildFederationMetadata(const ServiceDescription& service,
                                                    const pki::Identity& signer);

}  // namespace devicetrust::wsfed

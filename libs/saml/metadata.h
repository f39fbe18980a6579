// SAML metadata, in and out (SAML metadata, sections 2.4.3 and 2.4.4).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "devicetrust/org/v1/apps.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"

namespace devicetrust::saml {

inline constexpr std::size_t kMetadataBytesMax = 1024 * 1024;

// A service provider as its metadata describes it.
struct ServiceProviderMetadata {
  org::v1::SamlServiceProvider saml;  // What PutApp wants.
  // mdui:DisplayName in English, else the first (Metadata Extensions for Login and Discovery User
  // Interface, section 2.1.1), in one line of at most kDisplayNameBytesMax; empty: there is none.
  std::string display_name;
};
inline constexpr std::size_t kDisplayNameBytesMax = 200;
inline constexpr std::size_t kEncryptionMethodsMax = 20;
inline constexpr std::size_t kLogoutServicesMax = 10;

// Reads a service provider's EntityDescriptor, in UTF-8 or UTF-16.
//
// Takes the assertion consumer services with the POST binding (others can't be answered),
// their indexes, and marks the default one; the certificates of KeyDescriptors for signing or
// for any use; the first RSA certificate for encryption or for any use, with its EncryptionMethods;
// the SingleLogoutServices by Redirect and POST; AuthnRequestsSigned and WantAssertionsSigned; the
// NameIDFormats. A signature of the file is not looked at: who registers it vouches for it.
//
// kInvalidArgument, saying what to add: no XML (see XmlDocument), no EntityDescriptor with
// an entityID, no SPSSODescriptor of SAML 2.0, a validUntil before `now`, no usable
// AssertionConsumerService, a service that is neither https nor http on loopback, a certificate
// that is broken or whose key verifies nothing, more than kSigningKeysMax usable ones, more than
// kEncryptionMethodsMax or kLogoutServicesMax.
absl::StatusOr<ServiceProviderMetadata> ParseServiceProvider(std::string_view metadata,
                                                             WallTime now);

struct IdpDescription {
  std::string entity_id;
  std::string sign_on_url;                             // Redirect and POST.
  std::string sign_out_url;                            // The same; empty: there is none.
  std::vector<pki::Certificate> signing_certificates;  // Those in use first.
  WallTime now;
};

// A service provider that can't fetch the metadata for a while goes on with what it has; the keys
// are told apart by rotation, not by a date in here.
inline constexpr std::chrono::hours kIdpMetadataLifetime{365 * 24};
inline constexpr std::chrono::hours kIdpMetadataCached{24};

// Names the algorithms that requests may be signed with, too: some service providers sign with
// SHA-1 unless told (SAML v2.0 Metadata Profile for Algorithm Support).
std::string BuildIdpMetadata(const IdpDescription& idp);

}  // namespace devicetrust::saml

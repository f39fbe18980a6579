// By what name a service provider knows a person, and what it is told of her.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "devicetrust/org/v1/apps.pb.h"
#include "devicetrust/org/v1/users.pb.h"

namespace devicetrust::saml {

// NameID formats that we give.
inline constexpr std::string_view kNameIdUnspecified =
    "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";
inline constexpr std::string_view kNameIdEmail =
    "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
inline constexpr std::string_view kNameIdPersistent =
    "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
inline constexpr std::string_view kNameIdTransient =
    "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
bool IsSupportedNameId(std::string_view format);

// The format for a request that asks for `asked` (empty: for none in particular): the app's, else
// the first of its metadata that we give, else the org's, else unspecified.
std::string NameIdFormatFor(std::string_view asked, const org::v1::SamlServiceProvider& provider,
                            std::string_view org_default);

struct NameId {
  std::string format;
  std::string value;

  friend bool operator==(const NameId&, const NameId&) = default;
};

// At whom, and in which session.
struct NameScope {
  std::string_view idp_entity_id;
  const org::v1::SamlServiceProvider& provider;
  std::string_view session_id;
};

// A persistent name differs per service provider and says nothing of the user; a transient one
// differs per session, too. Both are hashes of ids that are random and known to nobody outside.
NameId NameIdOf(const org::v1::User& user, std::string_view format, const NameScope& scope);

// 128 bits in hex, the same for one session at one service provider; what two of them hold says
// nothing of whether the session is the same (SAML core, section 2.7.2).
std::string SessionIndexOf(std::string_view session_id, std::string_view sp_entity_id);

// An attribute as it is told: at least one value.
struct Attribute {
  std::string name;
  std::string_view name_format;
  std::vector<std::string> values;
};

// What the app's settings say; by default principal, email, displayName, givenName, surname and
// groups, each where the user has one.
std::vector<Attribute> AttributesOf(const org::v1::User& user,
                                    const org::v1::SamlServiceProvider& provider);

}  // namespace devicetrust::saml

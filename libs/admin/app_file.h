// An app to register, from the metadata that it publishes about itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "devicetrust/org/v1/apps.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"

namespace devicetrust::admin {

// Reads a SAML 2.0 service provider's EntityDescriptor. The id is made of the file's name: "My
// App.xml" gives "my-app". The label is the metadata's mdui:DisplayName, or the id without one.
//
// Errors: those of saml::ParseServiceProvider(), with `file` before the message.
absl::StatusOr<org::v1::App> AppFromMetadata(const std::string& file, std::string_view metadata,
                                             WallTime now);

// The same of a WS-Federation relying party's federation metadata; its label is the role's
// ServiceDisplayName. Errors: those of wsfed::ParseRelyingParty(), with `file` before the message.
absl::StatusOr<org::v1::App> AppFromFederationMetadata(const std::string& file,
                                                       std::string_view metadata, WallTime now);

// Registers a WS-Federation relying party that publishes no metadata. The id is made of the last
// part of the realm: "urn:federation:MicrosoftOnline" gives "microsoftonline".
org::v1::App AppOfRealm(const std::string& realm, const std::vector<std::string>& reply_urls);

// kFailedPrecondition, CONFLICTING_STATE: assertions would be encrypted, and the app's metadata
// lists no method for it that we have.
absl::Status CheckEncryption(const org::v1::SamlServiceProvider& saml);

}  // namespace devicetrust::admin

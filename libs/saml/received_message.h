// A SAML message as it came in, parsed, and the checks that all kinds of them share.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "devicetrust/org/v1/apps.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/saml/binding.h"
#include "libs/saml/xml.h"

namespace devicetrust::saml {

// Parsed once: that is most of its cost. Nothing has been checked yet.
class ReceivedMessage {
 public:
  // SAML_REQUEST_MALFORMED: no XML (see XmlDocument), or not exactly one Issuer.
  static absl::StatusOr<ReceivedMessage> Parse(Message message);

  const std::string& issuer() const { return issuer_; }  // Who says to have sent it.
  const Message& message() const { return message_; }
  const XmlDocument& document() const { return document_; }
  bool IsSigned() const;

 private:
  ReceivedMessage(Message message, XmlDocument document, std::string issuer)
      : message_(std::move(message)), document_(std::move(document)), issuer_(std::move(issuer)) {}

  Message message_;
  XmlDocument document_;
  std::string issuer_;
};

// How far an IssueInstant may be from our clock, either way.
inline constexpr std::chrono::minutes kRequestAgeMax{10};

// SAML_REQUEST_MALFORMED: not a protocol message of that name ("AuthnRequest"), or without an ID;
// Destination is not `url`, or missing from a signed one. SAML_REQUEST_EXPIRED: IssueInstant is
// more than kRequestAgeMax away from `now`. SAML_UNKNOWN_SERVICE_PROVIDER: another Issuer than the
// app.
absl::Status CheckEnvelope(const ReceivedMessage& received, std::string_view name,
                           const org::v1::SamlServiceProvider& provider, std::string_view url,
                           WallTime now);

// SAML_SIGNATURE_INVALID: the signature is wrong, or is missing though `demanded`. One that nobody
// demands and no key of the metadata can verify says nothing.
absl::Status CheckSignature(const ReceivedMessage& received,
                            const org::v1::SamlServiceProvider& provider, bool demanded);

// For what is wrong with the message `name`.
absl::Status BadMessage(std::string_view name, std::string_view why, std::string foreign = {});

}  // namespace devicetrust::saml

// Single logout (SAML core, section 3.7; profiles, section 4.4): what an app asks and answers when
// a person signs out, and what we do. Every message is signed, in both directions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "devicetrust/org/v1/apps.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"
#include "libs/saml/received_message.h"
#include "libs/saml/subject_name.h"

namespace devicetrust::saml {

// A LogoutRequest that passed every check.
struct LogoutRequest {
  std::string id;
  NameId name_id;  // Format empty: not said.
  // The app's sessions that end; empty: all of the person.
  std::vector<std::string> session_indexes;
  // It asks for no answer (SAML V2.0 Asynchronous Single Logout Profile Extension).
  bool asynchronous = false;

  // Whether it means the session of this name and index at the app.
  bool Means(const NameId& name, std::string_view session_index) const;
};

inline constexpr std::size_t kSessionIndexesMax = 20;

// Errors: those of CheckEnvelope() and CheckSignature(); SAML_REQUEST_MALFORMED: no NameID, or an
// encrypted one, more than kSessionIndexesMax; SAML_REQUEST_EXPIRED: NotOnOrAfter has passed.
absl::StatusOr<LogoutRequest> CheckLogoutRequest(const ReceivedMessage& received,
                                                 const org::v1::SamlServiceProvider& provider,
                                                 std::string_view slo_url, WallTime now);

struct LogoutAnswer {
  std::string in_response_to;
  bool success = false;  // The app, and all behind it, have ended the session.
};

// Errors: those of CheckEnvelope() and CheckSignature(); SAML_REQUEST_MALFORMED: no Status.
absl::StatusOr<LogoutAnswer> CheckLogoutResponse(const ReceivedMessage& received,
                                                 const org::v1::SamlServiceProvider& provider,
                                                 std::string_view slo_url, WallTime now);

// A message on its way by the browser: the address, and by POST the form's fields.
struct OutgoingMessage {
  std::string url;
  std::vector<std::pair<std::string, std::string>> form;  // Empty: by Redirect.
};

// The first of its services that we speak: Redirect or POST. Null: it is told nothing.
const org::v1::SingleLogoutService* LogoutServiceOf(const org::v1::SamlServiceProvider& provider);

// From us, and in which name.
struct LogoutSender {
  std::string_view idp_entity_id;
  const pki::Identity& signer;
  WallTime now;
};

// Asks the app to end a session. `id`: of NewLogoutId(). kFailedPrecondition: no service.
absl::StatusOr<std::string> NewLogoutId(Random& random);
absl::StatusOr<OutgoingMessage> BuildLogoutRequest(const LogoutSender& sender, std::string_view id,
                                                   const NameId& name_id,
                                                   std::string_view session_index,
                                                   std::string_view relay_state,
                                                   const org::v1::SamlServiceProvider& provider);

enum class LogoutOutcome {
  kSuccess,
  kPartial,           // Signed out here, but perhaps not of every other app.
  kUnknownPrincipal,  // The session here is not the one that was named.
};

// Answers the app's request `in_response_to`. kFailedPrecondition: no service.
absl::StatusOr<OutgoingMessage> BuildLogoutResponse(const LogoutSender& sender,
                                                    std::string_view in_response_to,
                                                    LogoutOutcome outcome,
                                                    std::string_view relay_state, Random& random,
                                                    const org::v1::SamlServiceProvider& provider);

}  // namespace devicetrust::saml

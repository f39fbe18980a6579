#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "devicetrust/org/v1/sign_in.grpc.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/db/database.h"
#include "libs/directory/client.h"
#include "policy-engine/authentication/sign_in_throttle.h"
#include "policy-engine/gateway_keys/gateway_keys.h"
#include "policy-engine/log/events.h"
#include "policy-engine/org/org_store.h"
#include "policy-engine/people/people_store.h"
#include "policy-engine/sessions/session_changes.h"

namespace devicetrust::policy {

// Passwords and sessions, for gateways. The contract says what each method does and refuses.
class SignInService final : public org::v1::SignIn::Service {
 public:
  // LdapDirectory::CheckPassword in production; blocks for at most its timeout.
  using PasswordCheck = std::function<absl::StatusOr<directory::PasswordVerdict>(
      std::string_view principal, std::string_view password)>;

  // All references must outlive the service.
  struct Parts {
    db::Database& database;
    const OrgStore& store;  // For the AD domain of names without one.
    EventSink& events;
    SessionChanges& sessions;
    GatewayKeys& keys;
    PasswordCheck check_password;
    const Clock& clock;
    Random& random;
    SignInThrottleLimits throttle = {};
  };
  explicit SignInService(Parts parts) : parts_(std::move(parts)), throttle_(parts_.throttle) {}

  grpc::Status VerifyPassword(grpc::ServerContext* context,
                              const org::v1::VerifyPasswordRequest* request,
                              org::v1::VerifyPasswordResponse* response) override;
  grpc::Status EndSession(grpc::ServerContext* context, const org::v1::EndSessionRequest* request,
                          org::v1::EndSessionResponse* response) override;
  grpc::Status WatchSessions(grpc::ServerContext* context,
                             const org::v1::WatchSessionsRequest* request,
                             grpc::ServerWriter<org::v1::WatchSessionsResponse>* writer) override;
  grpc::Status GetGatewayKeys(grpc::ServerContext* context,
                              const org::v1::GetGatewayKeysRequest* request,
                              org::v1::GatewayKeys* response) override;

 private:
  struct Attempt;

  absl::StatusOr<org::v1::VerifyPasswordResponse> Verify(
      const org::v1::VerifyPasswordRequest& request);
  // What the directory and the org think of a name and a password. OK: signed in.
  absl::Status Judge(const org::v1::VerifyPasswordRequest& request, Attempt& attempt);
  absl::Status Record(const org::v1::VerifyPasswordRequest& request, const Attempt& attempt,
                      WallTime now, const org::v1::VerifyPasswordResponse& response);

  Parts parts_;
  SignInThrottle throttle_;
};

// The principal that a person means by what they typed: "ada@corp.test" as it is,
// "CORP\ada" and "ada" with the org's domain. Lower case. Empty: of another domain, or no
// name at all.
std::string PrincipalOf(std::string_view typed, std::string_view ad_domain);

}  // namespace devicetrust::policy

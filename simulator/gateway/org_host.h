// The org host: SAML in and out, sign-in and factor forms, the challenge's way there and
// back, discovery.
//
// One sign-on is one Transaction, kept in a cookie of its own (browser_state.h):
//
//   /sso/saml, /app/ID/sso/saml   request checked, transaction begun
//   /signin                       password, when there is no session or it must be fresh
//   mTLS host /challenge          when an active rule of the app names device trust
//   /proof                        the org decides, with what the mTLS host saw
//   /factor                       one-time code, when the decision asks for it
//   answer                        SAML response by POST, or a refusal with its code
//
// /signout asks; the form there ends the session.
//
// Forms need the transaction's or session's cookie (SameSite=Lax, so no other site's form
// carries it) and, when the browser says where they come from, our own origin.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "devicetrust/org/v1/apps.pb.h"
#include "devicetrust/org/v1/client.pb.h"
#include "devicetrust/org/v1/decisions.pb.h"
#include "devicetrust/org/v1/users.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/task.h"
#include "libs/http/message.h"
#include "libs/saml/binding.h"
#include "libs/saml/response.h"
#include "simulator/gateway/browser_state.h"
#include "simulator/gateway/live_state.h"
#include "simulator/gateway/org.h"
#include "simulator/gateway/org_view.h"
#include "simulator/gateway/site.h"

namespace devicetrust::gateway {

class OrgHost {
 public:
  // All outlive this. Thread-safe.
  OrgHost(const Site& site, const OrgView& view, const LiveState& live, Org& org,
          const Clock& clock, Random& random)
      : site_(site), view_(view), live_(live), org_(org), clock_(clock), random_(random) {}

  Task<http::Response> Handle(const http::Request& request);

 private:
  // One request with the pictures it is answered by: the same ones throughout.
  struct Turn {
    const http::Request& request;
    const WallTime now;
    const std::shared_ptr<const Keyring> keys;
    const std::shared_ptr<const AppDirectory> apps;
    std::string app_label;  // For pages; empty until the app is known.
  };

  Task<http::Response> Serve(const http::Request& request);
  Task<http::Response> Route(Turn& turn);
  http::Response Discovery() const;
  http::Response IdpMetadata(const Turn& turn) const;
  Task<http::Response> Home(Turn& turn);
  Task<http::Response> SignOut(Turn& turn);

  // sign_on.cc: how a transaction begins and ends.
  Task<http::Response> BeginSaml(Turn& turn, const std::string& app_id);
  Task<http::Response> CheckedSaml(Turn& turn, const org::v1::App& app,
                                   const saml::Message& message, const std::string& url);
  Task<http::Response> BeginUnsolicited(Turn& turn, const org::v1::App& app,
                                        std::string relay_state);
  http::Response SamlProblem(const absl::Status& status) const;
  // Whether it is `user` whom the app asked for; true when it asked for nobody.
  bool IsSubject(const Transaction& transaction, const org::v1::App& app,
                 const org::v1::User& user) const;
  // Whether it surely is not: as far as the session alone knows its user.
  bool IsOtherSubject(const Transaction& transaction, const org::v1::App& app) const;
  http::Response Answer(Turn& turn, const Transaction& transaction, const org::v1::App& app,
                        const org::v1::User& user);
  http::Response Fail(Turn& turn, const Transaction& transaction, saml::Failure failure);
  http::Response PostToProvider(Turn& turn, const Transaction& transaction,
                                const absl::StatusOr<std::string>& xml);

  // sign_in.cc: forms.
  http::Response SignInForm(Turn& turn, const Transaction& transaction, std::string_view user_name,
                            std::string_view problem, int status);
  Task<http::Response> SignInPost(Turn& turn);
  http::Response FactorForm(Turn& turn, const Transaction& transaction, std::string_view problem,
                            int status);
  Task<http::Response> FactorPost(Turn& turn);

  // flow.cc: the next step of a transaction.
  Task<http::Response> Advance(Turn& turn, Transaction transaction);
  http::Response RedirectToChallenge(Turn& turn, const Transaction& transaction);
  Task<http::Response> TakeProof(Turn& turn);
  Task<http::Response> Decide(Turn& turn, Transaction transaction, const org::v1::App& app,
                              std::string proof);
  // What is known by now against the certificate of a proof; unspecified: nothing.
  reason::v1::Reason AgainstProof(const Turn& turn, const std::string& text) const;
  http::Response Conclude(Turn& turn, Transaction transaction, const org::v1::App& app,
                          const org::v1::SignOnResult& decision);
  http::Response SignInAgain(Turn& turn, Transaction transaction);
  http::Response Unavailable(const absl::Status& status, const Transaction& transaction) const;

  // What cookies say. A session that is over, or a transaction without its cookie, is none.
  std::optional<Session> CurrentSession(const Turn& turn) const;
  std::optional<Transaction> TransactionOf(Turn& turn, const std::string& id) const;
  absl::StatusOr<std::string> NewId() const;
  // Adds the cookie that keeps (or drops) the transaction or session.
  void Keep(const Turn& turn, const Transaction& transaction, http::Response& response) const;
  void Drop(const Transaction& transaction, http::Response& response) const;
  // Drops the browser's oldest transactions until one more of `bytes` has room.
  void MakeRoom(const Turn& turn, const Transaction& transaction, std::size_t bytes,
                http::Response& response) const;
  void KeepSession(const Turn& turn, const Session& session, http::Response& response) const;
  bool FromOurselves(const http::Request& request) const;

  const Site& site_;
  const OrgView& view_;
  const LiveState& live_;
  Org& org_;
  const Clock& clock_;
  Random& random_;
};

// What the org is told of the browser: the socket's address and the user agent, cut.
org::v1::ClientInfo ClientOf(const http::Request& request);
http::Response TransactionGone();

}  // namespace devicetrust::gateway

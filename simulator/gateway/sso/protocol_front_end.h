// What the sign-on flow asks of a protocol: SAML (saml/saml_front_end.h), WS-Federation
// (wsfed/wsfed_front_end.h). A front end reads the app's request and writes the app's answer;
// whether the person may in is none of its business. It uses the browser's state, the snapshots and
// pages; it keeps nothing itself and never sees the org client or a cookie.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "devicetrust/org/v1/apps.pb.h"
#include "devicetrust/org/v1/users.pb.h"
#include "libs/base/status.h"
#include "libs/http/message.h"
#include "simulator/gateway/sso/browser_state.h"
#include "simulator/gateway/sso/request_context.h"

namespace devicetrust::gateway {

// Why the app, and not the person, gets the bad news.
enum class SsoFailure {
  kInteractionNeeded,  // The app forbade it (Transaction::passive).
  kDenied,             // The app forbade to show the person a refusal.
  kOtherUserExpected,  // The app asked for somebody else.
};

// What came in at an address where apps speak of signing out: a request, or the answer to one.
struct SignOutMessage {
  std::string app_id;
  bool is_answer = false;
  std::string state;           // Of a request: see SignOut::asking_state.
  std::string in_response_to;  // Of an answer.
  bool success = false;
};

// Where a browser is sent to ask an app, and how the question is called.
struct SignOutQuestion {
  std::string id;
  http::Response response;
};

// How a sign-out that an app had asked for has ended.
enum class SignOutEnd {
  kDone,
  kPartial,       // Perhaps not of every other app.
  kOtherSession,  // It named a session that is not this browser's.
};

// All are thread-safe.
class ProtocolFrontEnd {
 public:
  // A sign-on to go on with, or the answer that ends it already.
  using Begun = std::variant<Transaction, http::Response>;

  virtual ~ProtocolFrontEnd() = default;

  // Which transactions are its own; constant.
  virtual Protocol protocol() const = 0;

  // Whether a request to `path` begins a sign-on.
  virtual bool Serves(std::string_view path) const = 0;

  // Where a link begins a sign-on to `app` that no app asked for; empty: nowhere.
  virtual std::string StartUrl(const org::v1::App& app) const = 0;

  // Checks the request of an app (or of a link to one). Errors carry the reason why there is no
  // answer to the app. `app_id` becomes the app's as soon as that is known, errors or not.
  virtual absl::StatusOr<Begun> Begin(const RequestContext& context, std::string& app_id) const = 0;

  // Whether `app` still has what the transaction's answer needs: it may have changed since.
  virtual bool IsStillRegistered(const Transaction& transaction, const org::v1::App& app) const = 0;

  // Whether the app wants the password to have been given later than in `session`.
  virtual bool WantsFresherSignIn(const Transaction& /*transaction*/, const Session& /*session*/,
                                  WallTime /*now*/) const {
    return false;
  }

  // Whether the app surely asked for somebody else than the session's user. ReplyAllowed() looks
  // again, with all that the org knows of the user.
  virtual bool ExpectsOtherUser(const Transaction& transaction, const org::v1::App& app,
                                const Session& session) const = 0;

  // The answer to the app: `transaction.session` is that of `user`, who may in.
  virtual absl::StatusOr<http::Response> ReplyAllowed(const RequestContext& context,
                                                      const Transaction& transaction,
                                                      const org::v1::App& app,
                                                      const org::v1::User& user) const = 0;

  // Where an image on a page of ours tells `app` that the person has signed out; empty: nowhere.
  virtual std::string SignOutImageUrl(const org::v1::App& /*app*/) const { return ""; }

  // The answer to the app when there is no sign-on. kNotFound, SESSION_EXPIRED: nobody asked, so
  // there is nobody to tell.
  virtual absl::StatusOr<http::Response> ReplyFailure(const RequestContext& context,
                                                      const Transaction& transaction,
                                                      const org::v1::App& app,
                                                      SsoFailure failure) const = 0;

  // Signing out (sign_out_flow.h); a protocol without it leaves these as they are.

  // What a sign-out will need to know of ReplyAllowed()'s answer: Participation::detail. Nothing:
  // that answer tells the app of no session.
  virtual std::optional<std::string> ParticipationOf(const Transaction& /*transaction*/,
                                                     const org::v1::App& /*app*/,
                                                     const org::v1::User& /*user*/) const {
    return std::string();
  }

  // Whether `path`, below kSignOutPath, is where apps send sign-out messages of this protocol.
  virtual bool ServesSignOut(std::string_view /*path*/) const { return false; }

  // Checks such a message. Errors: as of Begin().
  virtual absl::StatusOr<SignOutMessage> ReadSignOut(const RequestContext& /*context*/) const {
    return absl::UnimplementedError("no sign-out");
  }

  // Whether the request with this `state` means the session, of which the app knows `detail`.
  virtual bool MeansSession(const std::string& /*state*/, const org::v1::App& /*app*/,
                            const std::string& /*session_id*/,
                            const std::string& /*detail*/) const {
    return false;
  }

  // Asks an app to end its part of a session. Nothing: it takes no such requests.
  virtual absl::StatusOr<std::optional<SignOutQuestion>> AskToSignOut(
      const RequestContext& /*context*/, const org::v1::App& /*app*/,
      const std::string& /*session_id*/, const std::string& /*detail*/) const {
    return std::nullopt;
  }

  // Answers the app's request with this `state`. Nothing: it wants, or can have, no answer.
  virtual absl::StatusOr<std::optional<http::Response>> AnswerSignOut(
      const RequestContext& /*context*/, const org::v1::App& /*app*/, const std::string& /*state*/,
      SignOutEnd /*end*/) const {
    return std::nullopt;
  }
};

}  // namespace devicetrust::gateway

// The cookies of one browser: its session and its transactions. The one place that reads and
// writes them. Uses the browser's state, the keys and the revocation state; knows no protocol,
// no page and no flow.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/http/message.h"
#include "simulator/gateway/sso/browser_state.h"
#include "simulator/gateway/sso/request_context.h"
#include "simulator/gateway/upstream/revocation_state.h"

namespace devicetrust::gateway {

inline constexpr std::string_view kSessionCookie = "__Host-dt-session";
inline constexpr std::string_view kTransactionCookiePrefix = "__Host-dt-t-";
// Of a sign-out and of the apps that it has to ask. Browsers send them below kSignOutPath alone, so
// that they cost no other request anything.
inline constexpr std::string_view kSignOutPath = "/signout";
inline constexpr std::string_view kSignOutCookie = "__Secure-dt-signout";
inline constexpr std::string_view kParticipationCookiePrefix = "__Secure-dt-app-";
// How many transactions one browser keeps, and how many bytes their cookies' names and values
// have together. Beyond that the oldest go: tabs left behind would fill the request's head, and
// the browser would get nothing but refusals.
inline constexpr std::size_t kTransactionsMax = 16;
inline constexpr std::size_t kTransactionBytesMax = 24 * 1024;
// Browsers drop a cookie of more than 4096 bytes (RFC 6265bis, section 5.6) without a word, so a
// long transaction is spread over several.
inline constexpr std::size_t kCookieBytesMax = 3800;
inline constexpr std::size_t kTransactionCookiesMax = 4;

// The first has the transaction's id in its name, the others "-1" and so on behind it.
std::string TransactionCookie(std::string_view transaction_id, std::size_t part = 0);

// Thread-safe. All are SameSite=Lax: no other site's form carries them.
class BrowserCookies {
 public:
  // Both outlive this.
  BrowserCookies(const RevocationState& revocations, Random& random)
      : revocations_(revocations), random_(random) {}

  // Nothing without the cookie, and when the session is over: ended, its user deactivated, or the
  // certificate revoked that it proved.
  std::optional<Session> CurrentSession(const RequestContext& context) const;

  // The transaction of that id, if this browser has its cookie. Its session is gone when it is
  // over, and so is a decision that waited for its factor.
  std::optional<Transaction> FindTransaction(const RequestContext& context,
                                             std::string_view id) const;

  // Adds the transaction's cookie to `response`, and drops the browser's oldest transactions
  // until this one has room. kInternal when the random source fails; kInvalidArgument when it is
  // too long for kTransactionCookiesMax cookies. `response` is then unchanged.
  absl::Status SetTransaction(const RequestContext& context, const Transaction& transaction,
                              http::Response& response) const;
  static void ClearTransaction(const RequestContext& context, const Transaction& transaction,
                               http::Response& response);

  // Without randomness the session is not remembered, and the next sign-on asks again.
  void SetSession(const RequestContext& context, const Session& session,
                  http::Response& response) const;
  static void ClearSession(http::Response& response);

  // Notes that an app was told of `session`, which counts it. Not beyond kToldAppsMax, nor without
  // randomness: a sign-out will say that it is partial.
  void AddParticipation(const RequestContext& context, const Participation& participation,
                        Session& session, http::Response& response) const;
  // Those of the user's sessions in this browser, in no particular order.
  static std::vector<Participation> Participations(const RequestContext& context,
                                                   std::string_view user_id);
  // Those of somebody else.
  static std::vector<Participation> OtherParticipations(const RequestContext& context,
                                                        std::string_view user_id);
  static void ClearParticipation(const std::string& app_id, http::Response& response);

  std::optional<SignOut> FindSignOut(const RequestContext& context) const;
  // kInternal when the random source fails; kInvalidArgument when it is too long for a cookie.
  absl::Status SetSignOut(const RequestContext& context, const SignOut& sign_out,
                          http::Response& response) const;
  static void ClearSignOut(http::Response& response);
  static bool SetsSession(const http::Response& response);

 private:
  bool IsOver(const Session& session) const;
  static void EvictOldTransactions(const RequestContext& context, std::string_view own_id,
                                   std::size_t own_bytes, http::Response& response);

  const RevocationState& revocations_;
  Random& random_;
};

}  // namespace devicetrust::gateway

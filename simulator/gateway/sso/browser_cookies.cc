#include "simulator/gateway/sso/browser_cookies.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "libs/http/form.h"

namespace devicetrust::gateway {
namespace {

void ClearCookie(std::string name, http::Response& response) {
  response.fields.Add(
      "set-cookie",
      http::FormatCookie({.name = std::move(name), .value = "", .max_age_seconds = 0}));
}

// Of those that the browser has, from `first` on.
void ClearParts(const RequestContext& context, std::string_view transaction_id, std::size_t first,
                http::Response& response) {
  for (std::size_t part = first; part < kTransactionCookiesMax; ++part) {
    std::string name = TransactionCookie(transaction_id, part);
    if (context.request.Cookie(name)) ClearCookie(std::move(name), response);
  }
}

// A transaction whose cookies the browser has.
struct HeldTransaction {
  WallTime started_at{};  // Long ago when it can't be opened.
  std::string sealed;
  std::vector<std::string> names;
  std::size_t bytes = 0;
};

// By id, and in the browser's order: oldest first (RFC 6265, section 5.4).
std::vector<std::pair<std::string, HeldTransaction>> HeldTransactions(
    const RequestContext& context) {
  std::vector<std::pair<std::string, HeldTransaction>> held;
  std::size_t cookies = 0;
  for (auto& [name, value] :
       http::ParseCookies(context.request.fields.Find("cookie").value_or(""))) {
    if (!name.starts_with(kTransactionCookiePrefix)) continue;
    // More are not ours, since we evict; a stranger may send thousands.
    if (++cookies > kTransactionsMax * kTransactionCookiesMax) break;
    const std::string id = name.substr(kTransactionCookiePrefix.size(), kTransactionIdBytes);
    auto at = std::ranges::find(held, id, &std::pair<std::string, HeldTransaction>::first);
    if (at == held.end()) at = held.insert(held.end(), {id, {}});
    at->second.bytes += name.size() + value.size();
    at->second.sealed += value;
    at->second.names.push_back(std::move(name));
  }
  const StateSealer sealer = context.sealer();
  for (auto& [id, each] : held) {
    if (const auto opened = sealer.OpenTransaction(each.sealed, context.now)) {
      each.started_at = opened->started_at;
    }
  }
  return held;
}

void ClearSignOutCookie(std::string name, http::Response& response) {
  response.fields.Add("set-cookie", http::FormatCookie({.name = std::move(name),
                                                        .value = "",
                                                        .max_age_seconds = 0,
                                                        .path = std::string(kSignOutPath)}));
}

std::string ParticipationCookie(const std::string& app_id) {
  constexpr std::size_t kHashCharacters = 12;
  return fmt::format("{}{}", kParticipationCookiePrefix,
                     HashName(app_id).substr(0, kHashCharacters));
}

// Of the user, or of everybody else.
std::vector<Participation> HeldParticipations(const RequestContext& context,
                                              std::string_view user_id, bool of_user) {
  const StateSealer sealer = context.sealer();
  std::vector<Participation> held;
  std::size_t cookies = 0;
  for (const auto& [name, value] :
       http::ParseCookies(context.request.fields.Find("cookie").value_or(""))) {
    if (!name.starts_with(kParticipationCookiePrefix)) continue;
    if (++cookies > 2 * kToldAppsMax) break;  // Not ours; a stranger may send thousands.
    std::optional<Participation> participation = sealer.OpenParticipation(value);
    // A cookie copied to another app's name.
    if (!participation || name != ParticipationCookie(participation->app_id)) continue;
    if ((participation->user_id == user_id) != of_user) continue;
    held.push_back(*std::move(participation));
  }
  return held;
}

}  // namespace

std::string TransactionCookie(std::string_view transaction_id, std::size_t part) {
  if (part == 0) return fmt::format("{}{}", kTransactionCookiePrefix, transaction_id);
  return fmt::format("{}{}-{}", kTransactionCookiePrefix, transaction_id, part);
}

std::optional<Session> BrowserCookies::CurrentSession(const RequestContext& context) const {
  const std::optional<std::string> cookie = context.request.Cookie(kSessionCookie);
  if (!cookie) return std::nullopt;
  std::optional<Session> session = context.sealer().OpenSession(*cookie, context.now);
  if (session && IsOver(*session)) session.reset();
  return session;
}

std::optional<Transaction> BrowserCookies::FindTransaction(const RequestContext& context,
                                                           std::string_view id) const {
  if (!IsTransactionId(id)) return std::nullopt;
  std::string sealed;
  for (std::size_t part = 0; part < kTransactionCookiesMax; ++part) {
    const std::optional<std::string> cookie = context.request.Cookie(TransactionCookie(id, part));
    if (!cookie) break;
    sealed += *cookie;
  }
  std::optional<Transaction> transaction = context.sealer().OpenTransaction(sealed, context.now);
  // A cookie copied to another transaction's name is not that transaction.
  if (!transaction || transaction->id != id) return std::nullopt;
  if (transaction->session && IsOver(*transaction->session)) {
    transaction->session.reset();
    transaction->decision_code.clear();
  }
  return transaction;
}

absl::Status BrowserCookies::SetTransaction(const RequestContext& context,
                                            const Transaction& transaction,
                                            http::Response& response) const {
  DT_ASSIGN_OR_RETURN(const std::string sealed, context.sealer().Seal(transaction, random_));
  const std::size_t parts = (sealed.size() + kCookieBytesMax - 1) / kCookieBytesMax;
  if (parts > kTransactionCookiesMax) return absl::InvalidArgumentError("the state is too long");
  const std::chrono::seconds lifetime = kTransactionLifetime;
  std::size_t bytes = sealed.size();
  for (std::size_t part = 0; part < parts; ++part) {
    bytes += TransactionCookie(transaction.id, part).size();
  }
  EvictOldTransactions(context, transaction.id, bytes, response);
  for (std::size_t part = 0; part < parts; ++part) {
    response.fields.Add(
        "set-cookie",
        http::FormatCookie({.name = TransactionCookie(transaction.id, part),
                            .value = sealed.substr(part * kCookieBytesMax, kCookieBytesMax),
                            .max_age_seconds = lifetime.count()}));
  }
  ClearParts(context, transaction.id, parts, response);  // Of when it was longer.
  return absl::OkStatus();
}

void BrowserCookies::ClearTransaction(const RequestContext& context, const Transaction& transaction,
                                      http::Response& response) {
  ClearCookie(TransactionCookie(transaction.id), response);
  ClearParts(context, transaction.id, 1, response);
}

void BrowserCookies::SetSession(const RequestContext& context, const Session& session,
                                http::Response& response) const {
  const absl::StatusOr<std::string> sealed = context.sealer().Seal(session, random_);
  if (!sealed.ok()) return;
  response.fields.Add("set-cookie",
                      http::FormatCookie({.name = std::string(kSessionCookie), .value = *sealed}));
}

void BrowserCookies::ClearSession(http::Response& response) {
  ClearCookie(std::string(kSessionCookie), response);
}

bool BrowserCookies::SetsSession(const http::Response& response) {
  const auto& all = response.fields.all();
  return std::any_of(all.begin(), all.end(), [](const http::Field& field) {
    return field.name == "set-cookie" && field.value.starts_with(kSessionCookie);
  });
}

void BrowserCookies::AddParticipation(const RequestContext& context,
                                      const Participation& participation, Session& session,
                                      http::Response& response) const {
  if (!NoteAppTold(session, participation.app_id)) return;
  const absl::StatusOr<std::string> sealed = context.sealer().Seal(participation, random_);
  if (!sealed.ok()) return;
  const auto left =
      std::chrono::duration_cast<std::chrono::seconds>(session.expires_at - context.now);
  response.fields.Add("set-cookie",
                      http::FormatCookie({.name = ParticipationCookie(participation.app_id),
                                          .value = *sealed,
                                          .max_age_seconds = left.count(),
                                          .path = std::string(kSignOutPath)}));
}

std::vector<Participation> BrowserCookies::Participations(const RequestContext& context,
                                                          std::string_view user_id) {
  return HeldParticipations(context, user_id, true);
}

std::vector<Participation> BrowserCookies::OtherParticipations(const RequestContext& context,
                                                               std::string_view user_id) {
  return HeldParticipations(context, user_id, false);
}

void BrowserCookies::ClearParticipation(const std::string& app_id, http::Response& response) {
  ClearSignOutCookie(ParticipationCookie(app_id), response);
}

std::optional<SignOut> BrowserCookies::FindSignOut(const RequestContext& context) const {
  const std::optional<std::string> cookie = context.request.Cookie(std::string(kSignOutCookie));
  if (!cookie) return std::nullopt;
  return context.sealer().OpenSignOut(*cookie, context.now);
}

absl::Status BrowserCookies::SetSignOut(const RequestContext& context, const SignOut& sign_out,
                                        http::Response& response) const {
  DT_ASSIGN_OR_RETURN(const std::string sealed, context.sealer().Seal(sign_out, random_));
  if (sealed.size() > kCookieBytesMax) {
    return absl::InvalidArgumentError("what the app sent is too long to be carried");
  }
  const std::chrono::seconds lifetime = kSignOutLifetime;
  response.fields.Add("set-cookie", http::FormatCookie({.name = std::string(kSignOutCookie),
                                                        .value = sealed,
                                                        .max_age_seconds = lifetime.count(),
                                                        .path = std::string(kSignOutPath)}));
  return absl::OkStatus();
}

void BrowserCookies::ClearSignOut(http::Response& response) {
  ClearSignOutCookie(std::string(kSignOutCookie), response);
}

bool BrowserCookies::IsOver(const Session& session) const {
  return revocations_.IsEnded(session.id, session.user_id, session.authenticated_at) ||
         (!session.last_serial.empty() && revocations_.IsRevoked(session.last_serial));
}

void BrowserCookies::EvictOldTransactions(const RequestContext& context, std::string_view own_id,
                                          std::size_t own_bytes, http::Response& response) {
  auto held = HeldTransactions(context);
  std::erase_if(held, [&](const auto& each) { return each.first == own_id; });
  // Within a second the browser's order counts.
  std::ranges::stable_sort(held, {}, [](const auto& each) { return each.second.started_at; });
  std::size_t count = 1;
  std::size_t bytes = own_bytes;
  for (auto each = held.rbegin(); each != held.rend(); ++each) {
    bytes += each->second.bytes;
    if (++count <= kTransactionsMax && bytes <= kTransactionBytesMax) continue;
    for (const std::string& name : each->second.names) ClearCookie(name, response);
  }
}

}  // namespace devicetrust::gateway

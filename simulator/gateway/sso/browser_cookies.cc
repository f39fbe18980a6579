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

}  // namespace

std::string TransactionCookie(std::string_view transaction_id) {
  return fmt::format("{}{}", kTransactionCookiePrefix, transaction_id);
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
  const std::optional<std::string> cookie = context.request.Cookie(TransactionCookie(id));
  if (!cookie) return std::nullopt;
  std::optional<Transaction> transaction = context.sealer().OpenTransaction(*cookie, context.now);
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
  const std::chrono::seconds lifetime = kTransactionLifetime;
  const std::string name = TransactionCookie(transaction.id);
  EvictOldTransactions(context, name, name.size() + sealed.size(), response);
  response.fields.Add(
      "set-cookie",
      http::FormatCookie({.name = name, .value = sealed, .max_age_seconds = lifetime.count()}));
  return absl::OkStatus();
}

void BrowserCookies::ClearTransaction(const Transaction& transaction, http::Response& response) {
  ClearCookie(TransactionCookie(transaction.id), response);
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

bool BrowserCookies::IsOver(const Session& session) const {
  return revocations_.IsEnded(session.id, session.user_id, session.authenticated_at) ||
         (!session.last_serial.empty() && revocations_.IsRevoked(session.last_serial));
}

void BrowserCookies::EvictOldTransactions(const RequestContext& context, std::string_view own_name,
                                          std::size_t own_bytes, http::Response& response) {
  struct Held {
    WallTime started_at;  // Long ago when the cookie can't be opened.
    std::string name;
    std::size_t bytes;
  };
  std::vector<Held> held;
  const StateSealer sealer = context.sealer();
  for (const auto& [name, value] :
       http::ParseCookies(context.request.fields.Find("cookie").value_or(""))) {
    if (!name.starts_with(kTransactionCookiePrefix) || name == own_name) continue;
    const std::optional<Transaction> other = sealer.OpenTransaction(value, context.now);
    held.push_back({other ? other->started_at : WallTime{}, name, name.size() + value.size()});
  }
  // Within a second the browser's order counts: oldest first (RFC 6265, section 5.4).
  std::stable_sort(held.begin(), held.end(),
                   [](const Held& a, const Held& b) { return a.started_at < b.started_at; });
  std::size_t count = 1;
  std::size_t bytes = own_bytes;
  for (auto each = held.rbegin(); each != held.rend(); ++each) {
    bytes += each->bytes;
    if (++count <= kTransactionsMax && bytes <= kTransactionBytesMax) continue;
    ClearCookie(each->name, response);
  }
}

}  // namespace devicetrust::gateway

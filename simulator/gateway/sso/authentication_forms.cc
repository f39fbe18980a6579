#include "simulator/gateway/sso/authentication_forms.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/base/log_sparsely.h"
#include "libs/base/names.h"
#include "libs/http/form.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "simulator/gateway/metrics.h"
#include "simulator/gateway/sso/pages.h"

namespace devicetrust::gateway {
namespace {

constexpr std::size_t kFieldBytesMax = 256;

bool IsCode(const std::string& text) {
  return text.size() == 6 && std::ranges::all_of(text, IsDigit);
}

// Of four groups, as FactorService makes them.
constexpr std::size_t kRecoveryCodeCharacters = 16;

bool IsRecoveryCode(const std::string& text) {
  const std::optional<std::string> code = TypedCode(text);
  return code && code->size() == kRecoveryCodeCharacters;
}

// Why name and password can't be sent to the org; nothing: they can.
std::optional<FormMessage> FieldMessage(const absl::StatusOr<std::string>& name,
                                        const absl::StatusOr<std::string>& password) {
  if (!name.ok() || !password.ok() || name->empty() || password->empty()) {
    return FormMessage{"Give a user name and a password.", kNotTaken};
  }
  // Browsers send the page's encoding, and protobuf's strings take nothing else.
  if (!IsUtf8(*name) || !IsUtf8(*password)) {
    return FormMessage{std::string(kPasswordWrong), kNotTaken};
  }
  if (name->size() > kFieldBytesMax) {
    return FormMessage{"That user name is too long to be one. Did you paste something else?",
                       kNotTaken};
  }
  if (password->size() > kFieldBytesMax) {
    return FormMessage{fmt::format("That password is too long: {} bytes, and {} at most are taken. "
                                   "Letters beyond English take two bytes or more.",
                                   password->size(), kFieldBytesMax),
                       kNotTaken};
  }
  return std::nullopt;
}

// The transaction that the parameter `t` names.
std::optional<Transaction> NamedTransaction(const RequestContext& context,
                                            const BrowserCookies& cookies,
                                            const absl::StatusOr<http::Parameters>& parameters) {
  const auto id = parameters.ok() ? parameters->Single("t") : parameters.status();
  if (!id.ok()) return std::nullopt;
  return cookies.FindTransaction(context, *id);
}

// Of either way to sign in.
template <typename Started>
Session SessionOf(const Started& started) {
  Session session;
  session.id = started.session_id();
  session.user_id = started.user().id();
  session.principal = started.user().principal();
  session.authenticated_at = rpc::FromTimestamp(started.authenticated_at());
  session.expires_at = rpc::FromTimestamp(started.expires_at());
  return session;
}

constexpr std::string_view kNegotiate = "Negotiate";

// What the browser sends with its one Authorization field of that scheme (RFC 4559, section 4.2).
std::optional<std::string_view> NegotiateToken(const http::Request& request) {
  if (request.fields.Count("authorization") != 1) return std::nullopt;
  const std::string_view value = *request.fields.Find("authorization");
  const std::string_view scheme = value.substr(0, value.find(' '));
  if (!EqualIgnoringCase(scheme, kNegotiate) || scheme.size() == value.size()) return std::nullopt;
  return value.substr(scheme.size() + 1);
}

}  // namespace

http::Response AuthenticationForms::SignInForm(const RequestContext& context,
                                               const Transaction& transaction,
                                               std::string_view user_name,
                                               const FormMessage& message) const {
  const std::string source = site_.MtlsFormSource();
  return RenderSignIn(site_, {.transaction_id = transaction.id,
                              .app_id = transaction.app_id,
                              .app_label = context.LabelOf(transaction),
                              .user_name = user_name,
                              .again = transaction.fresh_sign_in && !transaction.app_id.empty(),
                              .problem = message,
                              .form_source = source});
}

Task<http::Response> AuthenticationForms::ShowSignIn(const RequestContext& context) const {
  const absl::StatusOr<http::Parameters> query = context.request.QueryParameters();
  if (query.ok() && query->all().empty()) co_return http::SeeOther("/");
  auto transaction = NamedTransaction(context, cookies_, query);
  if (!transaction) co_return flow_.TransactionOver(context, query);
  const std::optional<Session> session = cookies_.CurrentSession(context);
  const bool other = query->SingleOr("other", "").value_or("") == "1";
  if (other) co_return SignInForm(context, *transaction, "", {});
  if (transaction->fresh_sign_in && !transaction->signed_in_here) {
    co_return SignInForm(context, *transaction, session ? session->principal : "", {});
  }
  if (!session) co_return co_await TicketOrForm(context, *std::move(transaction));
  co_return http::SeeOther(StepUrl("/continue", *transaction));
}

Task<http::Response> AuthenticationForms::TicketOrForm(const RequestContext& context,
                                                       Transaction transaction) const {
  http::Response form = SignInForm(context, transaction, "", {});
  const http::Connection& connection = context.request.connection;
  if (tickets_ == nullptr ||
      !(tickets_->networks.empty() || tickets_->networks.Contain(connection.peer_address))) {
    co_return form;
  }
  const std::optional<std::string_view> token = NegotiateToken(context.request);
  if (!token) {
    // A browser without a ticket, or one that may not show it to us, shows the form.
    form.status = 401;
    form.fields.Set("www-authenticate", std::string(kNegotiate));
    co_return form;
  }
  // From here on nothing is asked for again: whatever is wrong with the ticket, the form is next.
  const absl::StatusOr<TicketHolder> holder = tickets_->check->Check(*token, connection);
  kTicketsShown.With({holder.ok() ? "OK" : "REFUSED"}).Add();
  if (!holder.ok()) {
    LogSparsely(LogLevel::kWarning, "gateway.ticket.refused", {},
                {{"error", std::string(holder.status().message())}});
    co_return form;
  }
  org::v1::StartTicketSessionRequest start;
  start.set_account_sid(holder->account_sid);
  start.set_realm(holder->realm);
  start.set_service_realm(holder->service_realm);
  *start.mutable_client() = ClientOf(context.request);
  const auto started = co_await org_.StartTicketSession(std::move(start));
  if (!started.ok()) {
    const std::string reason = rpc::ReasonName(started.status());
    LogSparsely(LogLevel::kWarning, "gateway.ticket.no_session", reason, {{"reason", reason}});
    co_return form;
  }
  Session session = SessionOf(*started);
  session.by_ticket = true;
  transaction.session = session;
  transaction.decision_code.clear();
  http::Response response = co_await flow_.Advance(context, std::move(transaction));
  if (!BrowserCookies::SetsSession(response)) cookies_.SetSession(context, session, response);
  if (!holder->reply.empty()) {
    response.fields.Set("www-authenticate", fmt::format("{} {}", kNegotiate, holder->reply));
  }
  co_return response;
}

Task<http::Response> AuthenticationForms::SubmitSignIn(const RequestContext& context) const {
  const absl::StatusOr<http::Parameters> form = context.request.FormParameters();
  std::optional<Transaction> transaction;
  if (IsSameOrigin(site_, context.request)) transaction = NamedTransaction(context, cookies_, form);
  if (!transaction) co_return flow_.TransactionOver(context, form);
  const absl::StatusOr<std::string> name = form->Single("username");
  const absl::StatusOr<std::string> password = form->Single("password");
  if (const auto message = FieldMessage(name, password)) {
    const bool shown = name.ok() && name->size() <= kFieldBytesMax && IsUtf8(*name);
    co_return SignInForm(context, *transaction, shown ? *name : "", *message);
  }

  org::v1::StartSessionRequest start;
  start.set_principal(std::string(TrimName(*name)));  // Never the password.
  start.set_password(*password);
  *start.mutable_client() = ClientOf(context.request);
  const auto started = co_await org_.StartSession(std::move(start));
  if (!started.ok()) {
    co_return SignInForm(context, *transaction, *name, PasswordMessage(started.status()));
  }

  const Session session = SessionOf(*started);
  transaction->session = session;
  transaction->signed_in_here = true;
  transaction->decision_code.clear();
  http::Response response = co_await flow_.Advance(context, *std::move(transaction));
  // Another tab may have signed in meanwhile: the last one is the browser's session, each
  // transaction goes on with its own. The flow may have set the cookie already, and knows more.
  if (!BrowserCookies::SetsSession(response)) cookies_.SetSession(context, session, response);
  co_return response;
}

http::Response AuthenticationForms::FactorForm(const RequestContext& context,
                                               const Transaction& transaction,
                                               const FormMessage& message) const {
  // A decision that is too old leads to another challenge.
  const std::string source = site_.MtlsFormSource();
  const std::string switch_url = StepUrl("/signin", transaction) + "&other=1";
  return RenderFactor(site_, {.transaction_id = transaction.id,
                              .app_id = transaction.app_id,
                              .app_label = context.LabelOf(transaction),
                              .principal = transaction.session->principal,
                              .switch_url = switch_url,
                              .problem = message,
                              .form_source = source});
}

bool AuthenticationForms::TakeOverFactor(const RequestContext& context,
                                         Transaction& transaction) const {
  const std::optional<Session> current = cookies_.CurrentSession(context);
  const std::optional<Session>& own = transaction.session;
  if (!current || !current->factor_at || !own || current->user_id != own->user_id) return false;
  // An app that wants a fresh password wants it in this transaction.
  if (transaction.fresh_sign_in && current->id != own->id) return false;
  if (own->factor_at && *own->factor_at >= *current->factor_at) return false;
  transaction.session = current;
  transaction.decision_code.clear();
  return true;
}

Task<http::Response> AuthenticationForms::ShowFactor(const RequestContext& context) const {
  const absl::StatusOr<http::Parameters> query = context.request.QueryParameters();
  if (query.ok() && query->all().empty()) co_return http::SeeOther("/");
  auto transaction = NamedTransaction(context, cookies_, query);
  if (!transaction) co_return flow_.TransactionOver(context, query);
  if (TakeOverFactor(context, *transaction)) {
    co_return co_await flow_.Advance(context, *std::move(transaction));
  }
  if (!transaction->session || transaction->decision_code.empty()) {
    co_return http::SeeOther(StepUrl("/continue", *transaction));
  }
  co_return FactorForm(context, *transaction, {});
}

Task<http::Response> AuthenticationForms::SubmitFactor(const RequestContext& context) const {
  const absl::StatusOr<http::Parameters> form = context.request.FormParameters();
  std::optional<Transaction> transaction;
  if (IsSameOrigin(site_, context.request)) transaction = NamedTransaction(context, cookies_, form);
  if (!transaction) co_return flow_.TransactionOver(context, form);
  if (!transaction->session || transaction->decision_code.empty()) {
    co_return http::SeeOther(StepUrl("/continue", *transaction));
  }
  // Then the code need not be spent, which another tab may have done already.
  if (TakeOverFactor(context, *transaction)) {
    co_return co_await flow_.Advance(context, *std::move(transaction));
  }
  const org::v1::App* app = context.AppOf(*transaction);
  if (app == nullptr) co_return flow_.TransactionOver(context, form);
  // Authenticators show "123 456".
  const std::string code = WithoutBlanks(form->Single("code").value_or(""));
  const bool recovery = IsRecoveryCode(code);
  if (!IsCode(code) && !recovery) {
    co_return FactorForm(context, *transaction, {"Type the six digits.", kNotTaken});
  }

  // Cut off from the CA since the decision: it may be told of a revocation too late.
  if (transaction->decision_trusts && !revocations_.IsFresh()) {
    transaction->decision_code.clear();
    co_return co_await flow_.Advance(context, *std::move(transaction));
  }

  org::v1::CompleteFactorRequest complete;
  complete.set_code(transaction->decision_code);
  complete.set_session_id(transaction->session->id);
  if (recovery) {
    complete.set_recovery_code(code);
  } else {
    complete.set_totp_code(code);
  }
  *complete.mutable_client() = ClientOf(context.request);
  const auto completed = co_await org_.CompleteFactor(std::move(complete));
  if (completed.ok()) {
    transaction->session->factor_at = rpc::FromTimestamp(completed->factor_at());
    co_return flow_.ApplyDecision(context, *std::move(transaction), *app, completed->result());
  }
  const reason::v1::Reason reason = rpc::ReasonOf(completed.status());
  if (reason == reason::v1::REASON_DECISION_UNKNOWN ||
      reason == reason::v1::REASON_CONFLICTING_STATE) {
    // Too old, or finished in another tab: decide anew.
    transaction->decision_code.clear();
    co_return co_await flow_.Advance(context, *std::move(transaction));
  }
  co_return FactorNotTaken(context, *transaction, completed.status());
}

http::Response AuthenticationForms::FactorNotTaken(const RequestContext& context,
                                                   const Transaction& transaction,
                                                   const absl::Status& status) const {
  if (const auto message = FactorMessage(status)) {
    return FactorForm(context, transaction, *message);
  }
  const reason::v1::Reason reason = rpc::ReasonOf(status);
  if (reason == reason::v1::REASON_FACTOR_NOT_ENROLLED) {
    return flow_.Refuse(context, transaction,
                        {.code = transaction.decision_code, .lacks_factor = true});
  }
  if (reason == reason::v1::REASON_THROTTLED) {
    return flow_.Problem(context, status, transaction, PauseSentence(status));
  }
  return flow_.Problem(context, status, transaction);
}

}  // namespace devicetrust::gateway

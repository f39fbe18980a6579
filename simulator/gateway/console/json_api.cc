#include "simulator/gateway/console/json_api.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "libs/rpc/error.h"
#include "simulator/gateway/console/transcoder.h"
#include "simulator/gateway/metrics.h"
#include "simulator/gateway/sso/sso_flow.h"

namespace devicetrust::gateway {
namespace {

namespace pb = ::google::protobuf;

constexpr std::string_view kConsoleService = "devicetrust.org.v1.ConsoleService/";
constexpr std::string_view kCaPackage = "devicetrust.ca.v1.";
constexpr std::string_view kJsonType = "application/json";

int HttpStatusOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return 422;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kFailedPrecondition:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return 503;
    default:
      return 500;
  }
}

http::Response ErrorResponse(const absl::Status& status) {
  http::Response response = http::Json(HttpStatusOf(status), ErrorJson(status));
  const auto detail = rpc::DetailOf(status);
  if (detail && detail->has_retry_after()) {
    response.fields.Set("retry-after", fmt::format("{}", detail->retry_after().seconds()));
  }
  return response;
}

absl::Status Refused(absl::StatusCode code, reason::v1::Reason reason, std::string message,
                     std::string remedy) {
  return rpc::MakeError(code, reason, std::move(message), {}, std::move(remedy));
}

// "application/json", with parameters or without.
bool IsJson(const http::Request& request) {
  const std::string_view type = request.fields.Find("content-type").value_or("");
  return type.substr(0, type.find(';')) == kJsonType;
}

// The one text of a small object: a code.
absl::StatusOr<std::pair<std::string, bool>> CodeOf(std::string_view body) {
  const auto json = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  const bool totp = json.is_object() && json.size() == 1 && json.contains("totp_code") &&
                    json["totp_code"].is_string();
  const bool recovery = json.is_object() && json.size() == 1 && json.contains("recovery_code") &&
                        json["recovery_code"].is_string();
  if (totp) return std::pair(json["totp_code"].get<std::string>(), false);
  if (recovery) return std::pair(json["recovery_code"].get<std::string>(), true);
  return Refused(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                 "the body is neither a totp_code nor a recovery_code", "Send one of them.");
}

absl::StatusOr<http::Response> StateResponse(const org::v1::ConsoleState& state) {
  DT_ASSIGN_OR_RETURN(std::string json, ToJson(*state.GetDescriptor(), state.SerializeAsString()));
  return http::Json(200, fmt::format("{{\"state\":{},\"methods\":{}}}", json,
                                     nlohmann::json(ConsoleMethodsOf(state.role())).dump()));
}

// While it lives, the user listens to one stream more.
class Listener {
 public:
  Listener(Listeners& listeners, const std::string& user_id)
      : listeners_(listeners), user_id_(user_id), entered_(listeners.Enter(user_id)) {}
  ~Listener() {
    if (entered_) listeners_.Leave(user_id_);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  bool has_place() const { return entered_; }

 private:
  Listeners& listeners_;
  const std::string user_id_;
  const bool entered_;
};

absl::StatusOr<http::Response> Lines(const pb::Descriptor& type, const Listened& listened) {
  std::string body;
  for (const std::string& message : listened.messages) {
    DT_ASSIGN_OR_RETURN(const std::string line, ToJson(type, message));
    body += line + "\n";
  }
  body += fmt::format("{{\"ended\":{}}}\n", listened.ended);
  http::Response response = http::Json(200, std::move(body));
  response.fields.Set("content-type", "application/x-ndjson");
  return response;
}

}  // namespace

bool Listeners::Enter(const std::string& user_id) {
  const MutexLock lock(mutex_);
  if (all_ >= kListenersMax) return false;
  int& of_user = by_user_[user_id];
  if (of_user >= kListenersOfUserMax) return false;
  ++of_user;
  ++all_;
  return true;
}

void Listeners::Leave(const std::string& user_id) {
  const MutexLock lock(mutex_);
  --all_;
  if (--by_user_[user_id] == 0) by_user_.erase(user_id);
}

Task<http::Response> JsonApi::Serve(const RequestContext& context) const {
  absl::StatusOr<http::Response> answer = co_await Answer(context);
  kConsoleCalls.With({answer.ok() ? "OK" : rpc::ReasonName(answer.status())}).Add();
  if (!answer.ok()) co_return ErrorResponse(answer.status());
  co_return *std::move(answer);
}

absl::Status JsonApi::CheckSender(const http::Request& request) const {
  if (request.method != "POST" || !IsJson(request)) {
    return Refused(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                   "calls are POST with a body of type application/json", "Call it that way.");
  }
  const std::optional<std::string_view> origin = request.fields.Find("origin");
  if (!origin || *origin != site_.org_origin || !IsSameOrigin(site_, request) ||
      !request.fields.Find(kConsoleField)) {
    return Refused(absl::StatusCode::kPermissionDenied, reason::v1::REASON_CALLER_NOT_ALLOWED,
                   "the call does not come from a page of this org host", "Open the console.");
  }
  return absl::OkStatus();
}

Task<absl::StatusOr<http::Response>> JsonApi::Answer(const RequestContext& context) const {
  const http::Request& request = context.request;
  if (const absl::Status status = CheckSender(request); !status.ok()) co_return status;
  const std::optional<Session> session = cookies_.CurrentSession(context);
  if (!session) {
    co_return Refused(absl::StatusCode::kUnauthenticated, reason::v1::REASON_SESSION_EXPIRED,
                      "nobody is signed in", "Sign in again.");
  }
  const std::string_view name = std::string_view(request.path).substr(kConsoleApiPath.size());
  if (name.starts_with(kConsoleService)) {
    co_return co_await AboutConsole(context, session->id, name.substr(kConsoleService.size()));
  }
  co_return co_await Forward(context, *session, name);
}

Task<absl::StatusOr<http::Response>> JsonApi::AboutConsole(const RequestContext& context,
                                                           const std::string& session_id,
                                                           std::string_view method) const {
  if (method == "GetConsole") {
    org::v1::GetConsoleRequest get;
    get.set_session_id(session_id);
    const auto got = co_await backend_.GetConsole(std::move(get));
    if (!got.ok()) co_return got.status();
    co_return StateResponse(got->state());
  }
  if (method == "OpenConsole") {
    const auto code = CodeOf(context.request.body);
    if (!code.ok()) co_return code.status();
    org::v1::OpenConsoleRequest open;
    open.set_session_id(session_id);
    if (code->second) {
      open.set_recovery_code(code->first);
    } else {
      open.set_totp_code(code->first);
    }
    *open.mutable_client() = ClientOf(context.request);
    const auto opened = co_await backend_.OpenConsole(std::move(open));
    if (!opened.ok()) co_return opened.status();
    co_return StateResponse(opened->state());
  }
  if (method == "CloseConsole") {
    org::v1::CloseConsoleRequest close;
    close.set_session_id(session_id);
    const auto closed = co_await backend_.CloseConsole(std::move(close));
    if (!closed.ok()) co_return closed.status();
    co_return http::Json(200, "{}");
  }
  co_return Refused(absl::StatusCode::kNotFound, reason::v1::REASON_UNKNOWN_SUBJECT,
                    "the console has no such method", "Reload the page.");
}

Task<absl::StatusOr<http::Response>> JsonApi::Forward(const RequestContext& context,
                                                      const Session& session,
                                                      std::string_view name) const {
  const pb::MethodDescriptor* method = FindConsoleMethod(name);
  if (method == nullptr) {
    co_return Refused(absl::StatusCode::kNotFound, reason::v1::REASON_UNKNOWN_SUBJECT,
                      "the console has no such method", "Reload the page.");
  }
  AdminCall call;
  call.peer = name.starts_with(kCaPackage) ? AdminCall::Peer::kCa : AdminCall::Peer::kOrg;
  call.method = fmt::format("/{}", name);
  absl::StatusOr<std::string> wire = ToWire(*method->input_type(), context.request.body);
  if (!wire.ok()) co_return wire.status();
  call.request = *std::move(wire);

  org::v1::AuthorizeCallRequest authorize;
  authorize.set_session_id(session.id);
  authorize.set_method(call.method);
  *authorize.mutable_client() = ClientOf(context.request);
  auto granted = co_await backend_.AuthorizeCall(std::move(authorize));
  if (!granted.ok()) co_return granted.status();
  call.grant = std::move(*granted->mutable_signed_grant());

  if (method->server_streaming()) {
    const Listener listener(listeners_, session.user_id);
    if (!listener.has_place()) {
      co_return Refused(absl::StatusCode::kResourceExhausted, reason::v1::REASON_TOO_MANY_REQUESTS,
                        "too many streams are listened to at once",
                        "Close other tabs of the console, or try again in a moment.");
    }
    const auto listened = co_await backend_.Listen(std::move(call));
    if (!listened.ok()) co_return listened.status();
    co_return Lines(*method->output_type(), *listened);
  }
  const auto answer = co_await backend_.Call(std::move(call));
  if (!answer.ok()) co_return answer.status();
  absl::StatusOr<std::string> json = ToJson(*method->output_type(), *answer);
  if (!json.ok()) co_return json.status();
  co_return http::Json(200, *std::move(json));
}

}  // namespace devicetrust::gateway

// An org that knows one administrator's sessions, and services that say what they were asked. Tests
// only.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "libs/rpc/error.h"
#include "simulator/gateway/upstream/admin_backend.h"

namespace devicetrust::gateway {

class FakeAdminBackend final : public AdminBackend {
 public:
  Task<absl::StatusOr<org::v1::GetConsoleResponse>> GetConsole(
      org::v1::GetConsoleRequest request) override {
    org::v1::GetConsoleResponse response;
    if (auto status = Check(request.session_id()); !status.ok()) co_return status;
    *response.mutable_state() = State();
    co_return response;
  }
  Task<absl::StatusOr<org::v1::OpenConsoleResponse>> OpenConsole(
      org::v1::OpenConsoleRequest request) override {
    org::v1::OpenConsoleResponse response;
    if (auto status = Check(request.session_id()); !status.ok()) co_return status;
    if (request.totp_code() != "123456" && request.recovery_code() != "right") {
      co_return rpc::MakeError(absl::StatusCode::kUnauthenticated, reason::v1::REASON_FACTOR_WRONG,
                               "the code is wrong");
    }
    open = true;
    *response.mutable_state() = State();
    co_return response;
  }
  Task<absl::StatusOr<org::v1::CloseConsoleResponse>> CloseConsole(
      org::v1::CloseConsoleRequest request) override {
    if (auto status = Check(request.session_id()); !status.ok()) co_return status;
    open = false;
    co_return org::v1::CloseConsoleResponse();
  }
  Task<absl::StatusOr<org::v1::AuthorizeCallResponse>> AuthorizeCall(
      org::v1::AuthorizeCallRequest request) override {
    asked.push_back(request);
    if (auto status = Check(request.session_id()); !status.ok()) co_return status;
    if (!open) {
      co_return rpc::MakeError(absl::StatusCode::kFailedPrecondition,
                               reason::v1::REASON_FACTOR_NEEDED, "closed");
    }
    org::v1::AuthorizeCallResponse response;
    response.set_signed_grant("grant for " + request.method());
    co_return response;
  }
  Task<absl::StatusOr<std::string>> Call(AdminCall call) override {
    calls.push_back(call);
    co_return answer;
  }
  Task<absl::StatusOr<Listened>> Listen(AdminCall call) override {
    calls.push_back(call);
    if (while_listening) while_listening();
    co_return listened;
  }

  std::set<std::string> admin_sessions;
  bool open = false;
  absl::StatusOr<std::string> answer = std::string();
  Listened listened;
  std::function<void()> while_listening;
  std::vector<org::v1::AuthorizeCallRequest> asked;
  std::vector<AdminCall> calls;

 private:
  absl::Status Check(const std::string& session_id) const {
    if (admin_sessions.contains(session_id)) return absl::OkStatus();
    return rpc::MakeError(absl::StatusCode::kUnauthenticated, reason::v1::REASON_SESSION_EXPIRED,
                          "no session of an administrator", {}, "Sign in again.");
  }
  org::v1::ConsoleState State() const {
    org::v1::ConsoleState state;
    state.set_principal("ada@corp.test");
    state.set_role(access::v1::ROLE_HELP_DESK);
    state.set_open(open);
    return state;
  }
};

}  // namespace devicetrust::gateway

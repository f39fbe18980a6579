#include "libs/rpc/caller.h"

#include <fmt/format.h>
#include <grpc/grpc_security_constants.h>

#include <algorithm>
#include <array>

#include "devicetrust/access/v1/access.pb.h"
#include "libs/base/ascii.h"
#include "libs/rpc/error.h"
#include "libs/rpc/grant.h"

namespace devicetrust::rpc {
namespace {

constexpr std::string_view kUrnPrefix = "urn:devicetrust:";
constexpr std::size_t kNameMax = 64;

// "gateway-2" is one of several gateways.
std::string RoleOf(std::string_view name) {
  const std::size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0 || dash + 1 == name.size()) {
    return std::string(name);
  }
  const std::string_view number = name.substr(dash + 1);
  return std::string(IsAll(number, IsDigit) ? name.substr(0, dash) : name);
}

absl::Status NotAuthenticated(std::string message) {
  return MakeError(absl::StatusCode::kUnauthenticated, reason::v1::REASON_CALLER_NOT_AUTHENTICATED,
                   std::move(message), {},
                   "Call with a certificate of the deployment CA that names the caller.");
}

}  // namespace

bool IsName(std::string_view text) {
  const auto allowed = [](char c) {
    return IsLower(c) || IsDigit(c) || c == '.' || c == '_' || c == '-';
  };
  return text.size() <= kNameMax && IsAll(text, allowed);
}

std::string Caller::ToString() const {
  return fmt::format("{}:{}", kind == Kind::kAdmin ? "admin" : "component", name);
}

absl::StatusOr<Caller> ParseCaller(std::string_view uri) {
  const absl::Status refused =
      NotAuthenticated("the certificate's URI name is no urn:devicetrust:ORG:component:NAME");
  if (!uri.starts_with(kUrnPrefix)) return refused;
  uri.remove_prefix(kUrnPrefix.size());
  std::array<std::string_view, 3> parts;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::size_t colon = uri.find(':');
    if (colon == std::string_view::npos) return refused;
    parts[i] = uri.substr(0, colon);
    uri.remove_prefix(colon + 1);
  }
  parts[2] = uri;
  if (!IsName(parts[0]) || !IsName(parts[2])) return refused;

  Caller caller{.kind = Caller::Kind::kComponent,
                .name = std::string(parts[2]),
                .role = RoleOf(parts[2]),
                .org = std::string(parts[0])};
  if (parts[1] == "admin") {
    caller.kind = Caller::Kind::kAdmin;
    caller.role = "admin";
  } else if (parts[1] != "component" || caller.role == "admin") {
    // A component named "admin" would pass for an administrator.
    return refused;
  }
  return caller;
}

bool Caller::MayTouch(std::string_view user) const {
  return protected_users.empty() || std::ranges::count(protected_users, ProtectedUser(user)) == 0;
}

Caller AdminOf(const access::v1::Grant& grant) {
  return {.kind = Caller::Kind::kAdmin,
          .name = grant.principal(),
          .role = "admin",
          .org = grant.org(),
          .user_id = grant.user_id(),
          .protected_users = {grant.protected_users().begin(), grant.protected_users().end()}};
}

absl::StatusOr<Caller> CallerOf(const grpc::AuthContext* peer) {
  if (peer == nullptr || !peer->IsPeerAuthenticated()) {
    return NotAuthenticated("the call came without a certificate");
  }
  const auto uris = peer->FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME);
  if (uris.size() != 1) {
    return NotAuthenticated("the certificate must have exactly one URI name");
  }
  return ParseCaller(std::string_view(uris[0].data(), uris[0].size()));
}

absl::StatusOr<Caller> CallerOf(const grpc::ServerContextBase& context) {
  const auto sent = context.client_metadata().find(kGrantHeader);
  if (sent != context.client_metadata().end()) {
    // The listener has checked it (admission_control.cc): no call with another one gets here.
    access::v1::SignedGrant message;
    access::v1::Grant grant;
    if (!message.ParseFromArray(sent->second.data(), static_cast<int>(sent->second.size())) ||
        !grant.ParseFromString(message.grant())) {
      return NotAuthenticated("the grant cannot be read");
    }
    return AdminOf(grant);
  }
  return CallerOf(context.auth_context().get());
}

}  // namespace devicetrust::rpc

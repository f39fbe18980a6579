#include "policy-engine/users/user_import.h"

#include <fmt/format.h>

#include <string>
#include <unordered_set>
#include <utility>

#include "libs/directory/sid.h"
#include "libs/rpc/error.h"
#include "policy-engine/users/plain_line.h"
#include "policy-engine/users/totp.h"
#include "policy-engine/users/user_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr int kGroupsMax = 1'000;

absl::Status MalformedImport(std::string message, std::string subject) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message), std::move(subject));
}

absl::Status ValidateUser(const v1::UserImport& user) {
  const std::string& name = user.principal().empty() ? user.sid() : user.principal();
  if (!directory::SidFromText(user.sid()).ok()) {
    return MalformedImport("a user needs a SID such as S-1-5-21-1-2-3-1105", name);
  }
  if (user.principal().empty() || user.principal().find('@') == std::string::npos) {
    return MalformedImport("a user needs a principal such as ada@corp.example.com", name);
  }
  for (const std::string* text : {&user.principal(), &user.account_name(), &user.display_name(),
                                  &user.email(), &user.given_name(), &user.surname()}) {
    if (!IsPlainLine(*text)) {
      return MalformedImport("a user's names have at most 256 bytes and no control characters",
                             name);
    }
  }
  if (user.groups_size() > kGroupsMax) return MalformedImport("a user has too many groups", name);
  for (const std::string& group : user.groups()) {
    if (group.empty() || !IsPlainLine(group)) {
      return MalformedImport("a group's name has 1 to 256 bytes and no control characters", name);
    }
  }
  const std::size_t secret = user.totp_secret().size();
  if (secret != 0 && (secret < kTotpSecretBytesMin || secret > kTotpSecretBytesMax)) {
    return MalformedImport("a TOTP secret has 16 to 64 bytes", name);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateImport(const v1::ImportUsersRequest& request) {
  if (request.users_size() > kUsersPerImportMax) {
    return MalformedImport(fmt::format("at most {} users a call", kUsersPerImportMax), "users");
  }
  std::unordered_set<std::string> taken;
  for (const v1::UserImport& user : request.users()) {
    DT_RETURN_IF_ERROR(ValidateUser(user));
    // A SID holds no @, a principal does: one set serves both.
    if (!taken.insert(user.sid()).second ||
        !taken.insert(LowerPrincipal(user.principal())).second) {
      return MalformedImport("two users of this call share SID or principal", user.principal());
    }
  }
  return absl::OkStatus();
}

}  // namespace devicetrust::policy

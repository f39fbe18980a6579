#include "libs/directory/verdict.h"

#include <fmt/format.h>
#include <ldap.h>

#include <array>
#include <utility>

namespace devicetrust::directory {
namespace {

// Sub-codes as [MS-ADTS] and Windows' error list give them. Password expired (532)
// has the same remedy as must change (773).
constexpr std::array<std::pair<std::string_view, PasswordVerdict>, 9> kSubCodes = {{
    {"525", PasswordVerdict::kWrong},
    {"52e", PasswordVerdict::kWrong},
    {"530", PasswordVerdict::kNotPermittedNow},
    {"531", PasswordVerdict::kNotPermittedNow},
    {"532", PasswordVerdict::kMustChange},
    {"533", PasswordVerdict::kDisabled},
    {"701", PasswordVerdict::kExpired},
    {"773", PasswordVerdict::kMustChange},
    {"775", PasswordVerdict::kLocked},
}};

PasswordVerdict VerdictOfSubCode(std::string_view diagnostic) {
  constexpr std::string_view kMark = ", data ";
  const std::size_t at = diagnostic.find(kMark);
  if (at == std::string_view::npos) return PasswordVerdict::kWrong;
  const std::string_view rest = diagnostic.substr(at + kMark.size());
  const std::string_view code = rest.substr(0, rest.find(','));
  for (const auto& [known, verdict] : kSubCodes) {
    if (code == known) return verdict;
  }
  return PasswordVerdict::kWrong;
}

}  // namespace

absl::StatusOr<PasswordVerdict> VerdictOfBind(int result_code, std::string_view diagnostic) {
  switch (result_code) {
    case LDAP_SUCCESS:
      return PasswordVerdict::kAccepted;
    case LDAP_INVALID_CREDENTIALS:
      return VerdictOfSubCode(diagnostic);
    case LDAP_INVALID_DN_SYNTAX:  // A directory that knows only distinguished names.
    case LDAP_NO_SUCH_OBJECT:
      return PasswordVerdict::kWrong;
    case LDAP_STRONG_AUTH_REQUIRED:
    case LDAP_INAPPROPRIATE_AUTH:
    case LDAP_UNWILLING_TO_PERFORM:
      return absl::FailedPreconditionError(fmt::format("the directory refuses simple binds: {} {}",
                                                       ldap_err2string(result_code), diagnostic));
    default:
      return absl::UnavailableError(fmt::format("the directory could not check the password: {} {}",
                                                ldap_err2string(result_code), diagnostic));
  }
}

std::string_view NameOf(PasswordVerdict verdict) {
  switch (verdict) {
    case PasswordVerdict::kAccepted:
      return "accepted";
    case PasswordVerdict::kWrong:
      return "wrong_password_or_unknown_user";
    case PasswordVerdict::kDisabled:
      return "account_disabled";
    case PasswordVerdict::kLocked:
      return "account_locked";
    case PasswordVerdict::kMustChange:
      return "password_must_change";
    case PasswordVerdict::kExpired:
      return "account_expired";
    case PasswordVerdict::kNotPermittedNow:
      return "logon_not_permitted_now";
  }
  return "unknown";
}

}  // namespace devicetrust::directory

#pragma once

#include "policy-engine/authentication/password_check.h"

namespace devicetrust::policy {

// Passwords that Active Directory knows, checked by an LDAP bind.
class DirectoryPasswords final : public PasswordCheck {
 public:
  // `directory` must outlive this. Null: none is configured, and nobody signs in.
  explicit DirectoryPasswords(directory::LdapDirectory* directory) : directory_(directory) {}

  absl::StatusOr<directory::PasswordVerdict> Check(std::string_view principal,
                                                   std::string_view password) override {
    if (directory_ == nullptr) {
      return absl::UnavailableError("no directory is configured (--ldap-url)");
    }
    return directory_->CheckPassword(principal, password);
  }

 private:
  directory::LdapDirectory* const directory_;
};

}  // namespace devicetrust::policy

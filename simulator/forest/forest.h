// One forest: accounts, and a KDC that answers for them. LDAP stands beside it, over the
// same accounts (simulator/forest/ldap).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "libs/kerberos/credentials.h"
#include "simulator/forest/account_table.h"
#include "simulator/forest/kdc.h"

namespace devicetrust::simulator {

struct ForestConfig {
  std::string run_dir;  // Existing, private folder, by absolute path.
  std::string realm = "CORP.TEST";
  std::string netbios = "CORP";
  std::uint32_t accounts_max = 50'000;
  std::uint16_t kdc_port = 0;  // 0: a free one.
  bool log_requests = false;
};

class Forest {
 public:
  // Makes the table and starts the KDC, which takes about 50 ms. Errors as Kdc::Start().
  static absl::StatusOr<std::unique_ptr<Forest>> Create(const ForestConfig& config,
                                                        const Clock& clock, Random& random);

  AccountTable& accounts() { return *accounts_; }
  const AccountView& view() const { return accounts_->view(); }
  Kdc& kdc() { return *kdc_; }
  std::uint32_t realm() const { return realm_; }  // Index of the only realm.
  std::string domain_sid() const { return DomainSid(view().realms()[realm_]); }

  // A service principal with a random key, e.g. "HTTP/iwa.corp.test".
  absl::Status AddService(const std::string& spn);

  // Current keys of accounts by name, for unmodified clients and servers. kNotFound.
  absl::Status WriteKeytab(const std::string& path, std::span<const std::string> names) const;

  // What FromKey() of libs/kerberos needs to log on as `name`. kNotFound.
  absl::StatusOr<kerberos::Key> KeyOf(std::string_view name) const;
  std::string Principal(std::string_view name) const;  // name@REALM.

 private:
  Forest() = default;
  std::unique_ptr<AccountTable> accounts_;
  std::uint32_t realm_ = 0;
  std::unique_ptr<Kdc> kdc_;  // Last: ends before the table goes.
};

}  // namespace devicetrust::simulator

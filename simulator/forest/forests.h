// The forests of an environment: their accounts, and a KDC that answers for all realms. LDAP
// stands beside it, over the same accounts (simulator/forest/ldap).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/kerberos/credentials.h"
#include "simulator/forest/account_table.h"
#include "simulator/forest/forest_spec.h"
#include "simulator/forest/kdc.h"

namespace devicetrust::simulator {

struct ForestsConfig {
  std::string run_dir;  // Existing, private folder, by absolute path.
  std::vector<ForestSpec> forests = DefaultForests();
  std::vector<TrustSpec> trusts = {};   // Between them; inside each there are those of its tree.
  std::uint32_t accounts_max = 50'000;  // In all realms together.
  std::uint16_t kdc_port = 0;           // 0: a free one.
  bool log_requests = false;
};

// One table and one krb5kdc serve all realms, but each realm answers for its own accounts alone:
// without a trust no ticket leads from one realm to another.
//
// Accounts are named by principal, "PC1$@CORP.TEST".
class Forests {
 public:
  // Makes the table and starts the KDC, which takes about 50 ms. Errors as Kdc::Start();
  // kInvalidArgument no domain; kAlreadyExists two of one name; kNotFound a trust with none.
  static absl::StatusOr<std::unique_ptr<Forests>> Create(const ForestsConfig& config,
                                                         const Clock& clock, Random& random);

  AccountTable& accounts() { return *accounts_; }
  const AccountView& view() const { return accounts_->view(); }
  Kdc& kdc() { return *kdc_; }
  const std::vector<std::string>& realms() const { return realms_; }  // By index in the table.

  // As AccountTable::SetTrust(), of domains by their DNS names: the trusts may change while the
  // KDC runs. kNotFound: no such domain.
  absl::Status SetTrust(const std::string& domain, const std::string& partner,
                        TrustDirection direction);

  // A service principal with a random key, e.g. "HTTP/iwa.corp.test@CORP.TEST". kNotFound: no
  // such realm.
  absl::Status AddService(std::string_view principal);

  // Current keys of accounts, for unmodified clients and servers. kNotFound.
  absl::Status WriteKeytab(const std::string& path, std::span<const std::string> principals) const;

  // What FromKey() of libs/kerberos needs to log on. kNotFound.
  absl::StatusOr<kerberos::Key> KeyOf(std::string_view principal) const;

 private:
  Forests() = default;
  absl::Status AddDomains(const std::vector<ForestSpec>& forests);
  std::unique_ptr<AccountTable> accounts_;
  std::vector<std::string> realms_;
  std::unique_ptr<Kdc> kdc_;  // Last: ends before the table goes.
};

}  // namespace devicetrust::simulator

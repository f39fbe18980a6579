#include "iwa/domain.h"

#include <utility>

#include "libs/base/files.h"
#include "libs/kerberos/environment.h"

namespace devicetrust::iwa {
namespace {

class ActiveDirectory final : public Domain {
 public:
  ActiveDirectory(std::unique_ptr<kerberos::Acceptor> acceptor,
                  std::unique_ptr<directory::LdapDirectory> directory)
      : acceptor_(std::move(acceptor)), directory_(std::move(directory)) {}

  absl::StatusOr<kerberos::Accepted> Accept(std::span<const std::uint8_t> spnego,
                                            const kerberos::Bindings& bindings) override {
    return acceptor_->Accept(spnego, bindings);
  }
  absl::StatusOr<directory::Computer> FindComputer(const std::string& sid) override {
    return directory_->FindComputerBySid(sid);
  }
  absl::StatusOr<directory::User> FindUser(const std::string& sid) override {
    return directory_->FindUserBySid(sid);
  }

 private:
  const std::unique_ptr<kerberos::Acceptor> acceptor_;
  const std::unique_ptr<directory::LdapDirectory> directory_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Domain>> NewActiveDirectory(const Config& config) {
  if (!config.krb5_config.empty()) DT_RETURN_IF_ERROR(kerberos::UseConfig(config.krb5_config));
  DT_ASSIGN_OR_RETURN(auto acceptor,
                      kerberos::Acceptor::Create({config.keytab, config.replay_cache}));
  DT_RETURN_IF_ERROR(RefuseIfShared(config.ldap_password_file));
  DT_ASSIGN_OR_RETURN(std::string password, ReadFile(config.ldap_password_file, 1024));
  while (password.ends_with('\n') || password.ends_with('\r')) password.pop_back();
  directory::Config ldap;
  ldap.url = config.ldap_url;
  ldap.ca_file = config.ldap_ca;
  ldap.domain = config.ldap_domain;
  ldap.bind_name = config.ldap_bind_dn;
  ldap.bind_password = std::move(password);
  ldap.search_connections_max = config.ldap_connections;
  DT_ASSIGN_OR_RETURN(auto client, directory::LdapDirectory::Create(std::move(ldap)));
  return std::make_unique<ActiveDirectory>(std::move(acceptor), std::move(client));
}

}  // namespace devicetrust::iwa
